"""One build: everything the graph needs to know, decided before it runs."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from decoders.limits import Limits
from featurizers.featurizer import Featurizer
from featurizers.registry import resolve
from pipelines.errors import UsageError
from pipelines.members import Members
from pipelines.metrics.progress import Progress
from pipelines.products import Products, products_of_build
from pipelines.settings import Settings
from pipelines.storage.cache import Cache
from schemas.corpus import CACHE_NAME, Column
from storage import files

STAGE_RAM = "12GB"  # weights of both encoders, frames decoded ahead, and one decoder a core
LIBRARIES = ("favor-data", "apache-beam", "av", "decord", "numpy", "openai-whisper", "pillow", "torch",
             "torchaudio", "transformers", "webdataset")  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """What corpus.json says of a build before it has run."""

    created: str
    options: dict[str, Any]
    columns: dict[str, Column]
    libraries: dict[str, str]


@dataclass(frozen=True)
class Build:
    """Picklable; the parts of it that travel to workers are small."""

    output: str
    cache: Cache
    featurizers: Mapping[str, Featurizer]
    products: Products
    clip_ns: int
    decoder: str
    shard_bytes: int
    limits: Limits
    progress: Progress
    facts: Facts
    accelerator: str | None = None
    audio_track: str = ""

    @cached_property
    def members(self) -> Members:
        fingerprints = {name: column.fingerprint for name, column in self.facts.columns.items()}
        return Members(self.products, self.cache, fingerprints)

    def cautions(self) -> Iterator[str]:
        """What a user should hear before the work begins."""
        for column, featurizer in self.featurizers.items():
            if featurizer.untrained:
                yield (
                    f"column {column} is made with UNTRAINED weights ({featurizer.model}): "
                    "a smoke test, not features"
                )

    @property
    def hints(self) -> dict[str, str]:
        """Resource hints of the one stage that decodes and encodes.

        Decoding and the encoders have the same ones: steps whose hints differ have environments of their
        own, runners do not fuse across those, and every frame would cross a shuffle.
        """
        return {"accelerator": self.accelerator, "min_ram": STAGE_RAM} if self.accelerator else {}


def prepare(asked: Settings, progress: Progress) -> Build:
    """The build that the settings ask for; its inputs are not looked at.

    Raises:
        UsageError, ModelUnavailable: what can be refused is refused before work begins.
    """
    output = files.absolute(asked.output)
    _check_decoder(asked)
    specs = asked.columns()
    heard = next((name for name, spec in specs.items() if spec.startswith("whisper:")), None)
    featurizers = {
        name: _featurizer(name, spec, asked, asked.transcribe and name == heard)
        for name, spec in specs.items()
    }
    described = {
        name: _column(_featurizer(name, spec, asked, transcribe=False)) for name, spec in specs.items()
    }
    return Build(
        output=output,
        cache=Cache(files.absolute(asked.cache) if asked.cache else files.join(output, CACHE_NAME)),
        featurizers=featurizers,
        products=products_of_build(described, asked.recorded()),
        clip_ns=asked.clip_ns,
        decoder=asked.decoder,
        shard_bytes=asked.shard_bytes,
        limits=Limits(),
        progress=progress,
        facts=Facts(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            options=asked.recorded(),
            columns=described,
            libraries=_libraries(),
        ),
        accelerator=asked.accelerator,
        audio_track=asked.audio_track,
    )


def _check_decoder(asked: Settings) -> None:
    if asked.decoder == "decord" and find_spec("decord") is None:
        why = f"its only wheel for Linux is x86-64's, and this is {platform.machine()}"
        raise UsageError(f"--decoder decord: decord is not installed ({why}); use --decoder pyav")
    if asked.decoder == "nvdec" and asked.accelerator is None:  # else the GPUs are elsewhere
        from decoders.streams.nvdec import NoHardwareDecoderError, accelerator

        try:
            accelerator(0)
        except NoHardwareDecoderError as error:
            raise UsageError(f"--decoder nvdec: {error}; use --decoder pyav") from error


def _featurizer(column: str, spec: str, asked: Settings, transcribe: bool) -> Featurizer:
    return resolve(
        column,
        spec,
        device=asked.device,
        dtype=asked.dtype,
        fit=asked.fit,
        clip_tokens=asked.clip_tokens,
        transcribe=transcribe,
        gpu_workers=asked.accelerator is not None,
    )


def _column(featurizer: Featurizer) -> Column:
    featurizer.prepare()
    fingerprint = featurizer.fingerprint()
    return Column(
        kind=fingerprint.kind,
        modality=str(featurizer.modality),
        model=featurizer.model,
        untrained=featurizer.untrained,
        fingerprint=fingerprint.digest,
        weights=fingerprint.weights,
        preprocessing=fingerprint.preprocessing,
        dtype=fingerprint.dtype,
        options=dict(fingerprint.options),
    )


def _libraries() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
