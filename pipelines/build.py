"""One build: everything the graph needs to know, decided before it runs."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from typing import Any

from decoders.limits import Limits
from featurizers.featurizer import Featurizer
from featurizers.registry import resolve
from featurizers.whisper.description import Transcription, WhisperFeaturizer
from pipelines.errors import UsageError
from pipelines.facts.condition import Condition
from pipelines.members import Members
from pipelines.metrics.progress import Progress
from pipelines.products import PLACEMENT, Products, products_of_build
from pipelines.settings import Settings
from pipelines.states.commit import latest
from pipelines.states.migrate import is_version_1, migrate
from pipelines.states.restore import restore_parts
from pipelines.storage.cache import Cache
from pipelines.storage.listing import spelled
from pipelines.storage.uris import Shown, roots_of
from schemas.corpus import CACHE_NAME, CORPUS_NAME, Column, Corpus
from schemas.cuts import Cutting
from schemas.features import store_of
from schemas.rows import Row
from schemas.state import ANNOTATIONS, BASE, State
from storage import files, web

STAGE_RAM = "12GB"  # weights of both encoders, frames decoded ahead, and one decoder a core


@dataclass(frozen=True)
class Facts:
    """What a state says of the build that makes it, known before it runs; `layers` as in schemas.state.

    `sources`: whole names of the SOURCEs; `mirrored`: the corpus has no others any more.
    """

    options: dict[str, Any]
    columns: dict[str, Column]
    layers: dict[str, list[str]]
    sources: tuple[str, ...] = ()
    mirrored: bool = False


@dataclass(frozen=True)
class Build:
    """Picklable; the parts of it that travel to workers are small.

    Attributes:
        parent: the state of the corpus that it goes on from.
        removed: the new ledger rows of inputs that it takes out.
        dropped: the ledger rows of inputs that it takes out without a trace.
        missing: shards that the state names and that are not there.
        anew: every shard is written again.
        kept: which columns go on in the corpus's arithmetic, in words.
        condition: what a sample must pass to be written.
        hands_over: pipelines/members.py says what.
    """

    output: str
    cache: Cache
    featurizers: Mapping[str, Featurizer]
    products: Products
    cutting: Cutting
    decoder: str
    shard_bytes: int
    limits: Limits
    progress: Progress
    facts: Facts
    parent: State | None = None
    removed: tuple[Row, ...] = ()
    dropped: tuple[Row, ...] = ()
    missing: frozenset[str] = frozenset()
    anew: bool = False
    kept: tuple[str, ...] = ()
    condition: Condition | None = None
    transcription: Transcription | None = None
    accelerator: str | None = None
    audio_track: str = ""
    hosts: frozenset[str] | None = None  # of the inner network, that the user named (storage/web.py)
    first_channel: bool = False
    hands_over: bool = True

    @cached_property
    def members(self) -> Members:
        fingerprints = {name: column.fingerprint for name, column in self.facts.columns.items()}
        sources = (*self.facts.sources, *(self.parent.sources if self.parent else ()))
        shown = Shown(self.facts.options.get("uris", "full"), roots_of(sources))
        made = self.output, self.products, self.cache, fingerprints, self.facts.layers, shown
        return Members(*made, hands_over=self.hands_over)

    def cautions(self) -> Iterator[str]:
        """What a user should hear before the work begins."""
        yield from self.kept
        for column, featurizer in self.featurizers.items():
            if featurizer.untrained:
                yield (
                    f"column {column} is made with UNTRAINED weights ({featurizer.model}): "
                    "a smoke test, not features"
                )

    def store(self, column: str) -> str:
        """How the column is stored."""
        return store_of(self.facts.columns[column].options)

    @property
    def leaving(self) -> frozenset[str]:
        """Inputs that this build takes out."""
        return frozenset(row["input"] for row in (*self.removed, *self.dropped))

    @property
    def held(self) -> Products:
        """What the corpus was made of."""
        if self.parent is None:
            return self.products
        return products_of_build(self.parent.columns, self.parent.options)

    @property
    def same_columns(self) -> bool:
        """Whether what other builds made can stand beside what this one makes."""
        return not self.featurizers or self.held.names() == self.products.names()

    @property
    def held_layers(self) -> dict[str, list[str]]:
        return self.parent.layers if self.parent else {}

    @property
    def first_shard(self) -> int:
        """The first shard number that was never used."""
        return self.parent.next_shard if self.parent else 0

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
        StorageError: the corpus cannot be read.
    """
    output = files.absolute(asked.output)
    _check_decoder(asked)
    specs = asked.columns()
    stores = asked.stores()
    parent = present_state(output)
    featurizers, described, kept = {}, {}, []
    for name, spec in specs.items():
        featurizer = _featurizer(name, spec, asked)
        column = _column(featurizer, stores.get(name))
        before = parent.columns.get(name) if parent else None
        if before and before != column and asked.dtype == "auto":  # other hardware: never two in one column
            there = _featurizer(name, spec, replace(asked, dtype=before.dtype))
            if _column(there, stores.get(name)) == before:
                kept.append(f"column {name} stays {before.dtype}, as the corpus has it ({column.dtype} here)")
                featurizer, column = there, before
        if before and before != column and asked.again:
            raise UsageError(
                f"--again: {spec} is not what column {name} of {output} was made of (other weights, or "
                "another version of the encoder): name the revision (ID@REV), or build into another --output"
            )
        featurizers[name], described[name] = featurizer, column
    products = products_of_build(described, asked.recorded())
    return Build(
        output=output,
        cache=Cache(files.absolute(asked.cache) if asked.cache else files.join(output, CACHE_NAME)),
        featurizers=featurizers,
        products=products,
        cutting=asked.cutting(),
        decoder=asked.decoder,
        shard_bytes=asked.shard_bytes,
        limits=Limits(least_rate=asked.least_rate),
        progress=progress,
        facts=Facts(
            asked.recorded(),
            described,
            layers_of(products, parent),
            tuple(map(spelled, asked.sources)),
        ),
        kept=tuple(kept),
        parent=parent,
        transcription=_transcription(asked, featurizers, products),
        accelerator=asked.accelerator,
        audio_track=asked.audio_track,
        hosts=frozenset(web.hosts(asked.named)),
        first_channel=asked.audio_channel == "first",
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


def _featurizer(column: str, spec: str, asked: Settings) -> Featurizer:
    return resolve(
        column,
        spec,
        device=asked.device,
        dtype=asked.dtype,
        fit=asked.fit,
        clip_tokens=asked.clip_tokens,
        prompt=asked.prompt,
        audio_tail=asked.audio_tail,
        gpu_workers=asked.accelerator is not None,
    )


def _transcription(
    asked: Settings, featurizers: Mapping[str, Featurizer], products: Products
) -> Transcription | None:
    """By the first Whisper column's decoder."""
    if not asked.transcribe:
        return None
    words = products.words()
    if words is None or words.column is None:
        raise UsageError("--transcribe needs a column that Whisper makes: leave out --whisper none")
    encoder = featurizers[words.column]
    assert isinstance(encoder, WhisperFeaturizer)
    return Transcription(encoder, asked.language)


def _column(featurizer: Featurizer, store: str | None) -> Column:
    featurizer.prepare()
    fingerprint = featurizer.fingerprint()
    if store:
        fingerprint = replace(fingerprint, options={**fingerprint.options, "store": store})
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


def layers_of(products: Products, parent: State | None) -> dict[str, list[str]]:
    """Where each product lies: in the base what a corpus was begun with, apart what came later."""
    names = {product.name for product in products.all} - {PLACEMENT}
    if parent is None:
        return {BASE: sorted(names), ANNOTATIONS: []}
    layers = {layer: sorted(names.intersection(held)) for layer, held in parent.layers.items()}
    known = {name for held in layers.values() for name in held}
    layers = {layer: held for layer, held in layers.items() if held or layer in (BASE, ANNOTATIONS)}
    return layers | {name: [name] for name in sorted(names - known)}


def present_state(output: str) -> State | None:
    """The state that a build goes on from; a corpus of version 1 is migrated first.

    Raises:
        UsageError: it is of a later format, or damaged.
        StorageError.
    """
    if not is_version_1(output):
        if (state := latest(output)) is not None:
            restore_parts(output, state)
        return state
    corpus = Corpus.model_validate_json(files.read_bytes(files.join(output, CORPUS_NAME)))
    made = products_of_build(corpus.columns, corpus.options)
    return migrate(output, {product.name for product in made.all} - {PLACEMENT})
