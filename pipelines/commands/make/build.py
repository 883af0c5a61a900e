"""`favor-data build`: arguments in, corpus and summary out."""

from __future__ import annotations

import platform
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions, StandardOptions

from decoders.limits import Limits
from decoders.processes.zygote import ZYGOTE
from featurizers.errors import ModelUnavailable
from featurizers.featurizer import Featurizer
from featurizers.registry import resolve
from pipelines.build import Build, Facts
from pipelines.commands import options
from pipelines.commands.make.changes import check_columns, read_ledger, sign, to_build
from pipelines.commands.make.progress_bar import ProgressBar
from pipelines.commands.make.summary import summarize
from pipelines.errors import StorageError, UsageError
from pipelines.products import products_of_build
from pipelines.profile import seconds_by_stage
from pipelines.progress import Progress
from pipelines.settings import Settings
from pipelines.steps import inputs
from pipelines.steps.finish import corpus_bytes
from pipelines.storage import files
from pipelines.storage.cache import Cache
from pipelines.storage.sources import read_sources
from schemas.corpus import CACHE_NAME, CORPUS_NAME, Column, Corpus
from schemas.manifest import ManifestError

HERE = ("DirectRunner", "FnApiRunner")  # runners that decode in this process
LIBRARIES = ("favor-data", "apache-beam", "av", "decord", "numpy", "openai-whisper", "pillow", "torch",
             "torchaudio", "transformers", "webdataset")  # fmt: skip


def run(argv: Sequence[str]) -> int:
    """Exit status: 0 all accounted for and a sample written, 1 none written or a storage that fails.

    Raises:
        UsageError: what the user gave cannot be used.
    """
    try:
        asked, beams = options.parse(argv)
        FileSystems.set_options(beams)  # an object store's address and keys
        with ExitStack() as stack:
            build = prepare(asked, Progress(_progress_file(stack)))
            for column, featurizer in build.featurizers.items():
                if featurizer.untrained:
                    print(f"favor-data: WARNING: column {column} is made with UNTRAINED weights "
                          f"({featurizer.model}): a smoke test, not features", file=sys.stderr)  # fmt: skip
            profile = _run_pipeline(build, beams) if build.rows else {}
            _sweep(build)  # also with nothing to do: the last build may have been killed at its very end
    except StorageError as error:
        reason = str(error).partition(" [while running")[0]  # Beam adds its step
        print(f"favor-data: {reason}; what is done is kept: mend that and run the same command again",
              file=sys.stderr)  # fmt: skip
        return 1
    except (ManifestError, ModelUnavailable) as error:
        raise UsageError(str(error)) from error
    corpus = _with_profile(build.output, profile)
    ledger = [row for name, row in read_ledger(build.output).items() if name in build.named]
    print(summarize(build.output, corpus, ledger, profile))
    return 0 if any(row["status"] == "done" for row in ledger) else 1


def prepare(asked: Settings, progress: Progress) -> Build:
    """Everything that can be refused, refused before work begins.

    Raises:
        UsageError, ManifestError, ModelUnavailable.
    """
    output = files.absolute(asked.output)
    _check_decoder(asked)
    specs = asked.columns()
    featurizers = {
        column: _featurizer(column, spec, asked, asked.transcribe) for column, spec in specs.items()
    }
    described = {
        column: _column(_featurizer(column, spec, asked, transcribe=False)) for column, spec in specs.items()
    }
    products = products_of_build(described, asked.recorded())
    given = {row.input: row for row in read_sources(asked.sources, output)}  # what two SOURCEs name is one
    rows = sign(given.values(), products, asked.clip_ns)
    ledger = read_ledger(output)
    check_columns(output, rows, ledger, products)
    lacking = to_build(rows, ledger, asked.retry)
    if lacking:
        _check_writable(output)
    return Build(
        rows=lacking,
        inputs=files.staging_path(output),
        named=frozenset(given),
        output=output,
        cache=Cache(files.absolute(asked.cache) if asked.cache else files.join(output, CACHE_NAME)),
        featurizers=featurizers,
        products=products,
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


def _check_writable(output: str) -> None:
    probe = files.join(output, files.STAGING, "writable")
    try:
        files.write_bytes(probe, output, b"writable")
        files.delete(probe)
    except (StorageError, ValueError) as error:
        raise UsageError(f"--output: {error}") from error


def _progress_file(stack: ExitStack) -> str:
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="favor-data-"))
    path = Path(folder) / "progress"
    path.touch()
    return str(path)


def _run_pipeline(build: Build, beams: PipelineOptions) -> dict[str, float]:
    """Seconds by stage, and "build" for the whole."""
    if beams.view_as(StandardOptions).runner in HERE:
        ZYGOTE.start()  # its imports beside asked
    from pipelines.build_corpus import build_corpus  # RunInference takes torch with it: seconds

    beams.view_as(SetupOptions).save_main_session = False
    root = beam.Pipeline(options=beams)
    started = time.monotonic()
    try:
        with inputs.staged(build.rows, build.inputs, build.output), ProgressBar(build.progress), root:
            build_corpus(root, build)
    except RuntimeError as error:  # a runner gives a worker's error back as text
        if found := re.search(r"StorageError: (.*?)(?: \[while running|$)", str(error), re.MULTILINE):
            raise StorageError(found[1]) from error
        raise
    finally:
        _sweep(build)
    return {"build": round(time.monotonic() - started, 3), **seconds_by_stage(root.result)}


def _sweep(build: Build) -> None:
    files.sweep(build.output)
    files.sweep(build.cache.root)


def _with_profile(output: str, profile: dict[str, float]) -> Corpus:
    path = files.join(output, CORPUS_NAME)
    corpus = Corpus.model_validate_json(files.read_bytes(path))
    if profile:
        corpus.seconds = {"media": corpus.seconds["media"], **profile}
        files.write_bytes(path, output, corpus_bytes(corpus))
        files.sweep(output)
    return corpus


def _libraries() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
