"""What a launcher does around the graph: inputs in, a job run, what became of it out."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions, StandardOptions

from decoders.processes.zygote import ZYGOTE
from pipelines.build import Build, prepare, present_state
from pipelines.changes import check_columns, check_there, leaving, made_of, removed_of, signed, to_build
from pipelines.errors import StorageError, UsageError
from pipelines.facts.condition import condition
from pipelines.jobs import faults
from pipelines.jobs.buckets import check_buckets
from pipelines.jobs.runners import check_runner
from pipelines.jobs.spool import Inputs, LedgerRows
from pipelines.jobs.telling import Telling
from pipelines.metrics.counters import counted
from pipelines.metrics.profile import seconds_by_stage
from pipelines.metrics.progress import Progress
from pipelines.settings import Settings
from pipelines.settle import Around, settle
from pipelines.states.commit import ConflictError, latest_number, lost
from pipelines.states.handover import take_back
from pipelines.states.missing import keys_in, missing_shards
from pipelines.states.parts import MissingPartError
from pipelines.states.sweep import sweep
from pipelines.steps import inputs
from pipelines.storage import fetch
from pipelines.storage.beam_options import adopt
from pipelines.storage.cache import VanishedError
from pipelines.storage.sources import read_sources
from schemas.manifest import InputRow
from schemas.state import State
from storage import files, web

HERE = ("DirectRunner", "FnApiRunner")  # runners that decode in this process
_SIGNED_AT_ONCE = 100_000  # a folder of a store is listed once for so many
_TRIES = 10  # builds that were overtaken by another's commit
Bar = Callable[[Progress], AbstractContextManager[object]]


@dataclass(frozen=True)
class Job:
    """A build and its inputs.

    Attributes:
        rows: those to look at.
        path: the file from which the graph reads them, while `inputs.staged` holds them there.
        named: the names of all inputs that the user gave.
        work: whether there is anything to do.
    """

    build: Build
    rows: Inputs | tuple[InputRow, ...]
    path: str
    named: Collection[str]
    work: bool


@dataclass(frozen=True)
class Launched:
    """What became of a job.

    Attributes:
        seconds: by stage of this job, and "build" for the whole; empty where there was nothing to do.
        counters: pipelines/metrics/counters.py says which; empty as well.
    """

    output: str
    state: State | None
    named: Collection[str]
    seconds: dict[str, float]
    counters: Counter[str]


def launch(
    asked: Settings,
    beams: PipelineOptions,
    warn: Callable[[str], object],
    bar: Bar | None = None,
    fetching: Callable[[], object] | None = None,
) -> Launched:
    """Builds, or finds nothing to do.

    Args:
        warn: is told, before the work begins, of what will be no use to train on.
        bar: shows how far the work is.
        fetching: given where weights are not here: called once the SOURCEs are found, before the fetching.

    Raises:
        UsageError, ManifestError, ModelUnavailable: what was asked for cannot be done; nothing is written.
        StorageError, MachineError: a storage or the machine failed; what is done is kept, and the same call
            goes on from there.
    """
    adopt(beams, warn)
    check_runner(beams)
    with ExitStack() as stack:
        stack.enter_context(web.guarded(frozenset(web.hosts(asked.named))))
        progress = Progress(_progress_file(stack))
        check_stores(asked)
        if fetching:
            check_sources(asked)
            fetching()

        def shown() -> AbstractContextManager[object]:
            return bar(progress) if bar else nullcontext()

        return carry_out(lambda: look(asked, prepare(asked, progress), warn), beams, warn, shown)


def check_stores(asked: Settings) -> None:
    """Raises:
    UsageError, StorageError: a bucket that is named is not there.
    """
    check_buckets(filter(None, (asked.output, asked.cache, *asked.sources)))


def check_sources(asked: Settings) -> None:
    """Gigabytes are not fetched for a SOURCE that is not there, or a manifest that is wrong.

    Raises:
        UsageError, ManifestError, StorageError.
    """
    state = present_state(files.absolute(asked.output))
    known = LedgerRows(files.absolute(asked.output), state)
    for _ in read_sources(asked.sources, asked.output, known=known, skip_bad_rows=asked.skip_bad_rows):
        pass


def carry_out(
    plan: Callable[[], Job],
    beams: PipelineOptions,
    warn: Callable[[str], object],
    shown: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Launched:
    """What `plan` finds to do, and again if another build was first with the same inputs or shards.

    Raises:
        StorageError, and what `plan` raises.
    """
    job = _planned(plan)
    if job.work:
        sweep(job.build.output)  # what killed builds left: else it would be in the way
    for line in job.build.cautions():
        warn(line)
    for tries in reversed(range(_TRIES)):
        if not job.work:
            break
        try:
            telling = Telling(job.build.progress, beams.view_as(StandardOptions).runner)
            with inputs.staged(job.rows, job.path, telling):
                seconds, counters = _run(job, beams, shown(), telling)
                state = settle(Around.of(job.build), seconds, counters, [job.path])
            if state is None:
                raise lost(job.build.output)
            files.sweep(job.build.output)  # the empty folder of what is being written
            return Launched(job.build.output, state, job.named, seconds, counters)
        except (ConflictError, StorageError, RuntimeError, OSError) as error:
            if not tries or not (_overtaken(job.build) or _passes(error)):
                raise
            take_back(job.build.output)
            job = _planned(plan)  # its features are in the cache, and stay there until the commit
            job = replace(job, build=replace(job.build, hands_over=False))
    state = settle(Around.of(job.build), {})  # nothing to do; but the last may have been killed
    if state is None and job.build.parent:
        raise lost(job.build.output)
    return Launched(job.build.output, state, job.named, {}, Counter())


def _planned(plan: Callable[[], Job]) -> Job:
    for _ in range(_TRIES):
        with suppress(ConflictError, MissingPartError):
            return plan()
    raise StorageError("other builds commit all the time; this one gave way")


def _passes(error: BaseException) -> bool:
    """Whether a prune took from the cache what this build counted on, or a sweep what it had written."""
    kinds = (VanishedError, ConflictError)
    return isinstance(error, kinds) or any(kind.__name__ in str(error) for kind in kinds)


def _overtaken(build: Build) -> bool:
    """Whether another build has committed since this one looked; raises StorageError."""
    number = latest_number(build.output)
    if build.parent and not number:
        raise lost(build.output)
    return number != (build.parent.state if build.parent else 0)


def look(asked: Settings, build: Build, warn: Callable[[str], object] = lambda line: None) -> Job:
    """Which inputs the SOURCEs hold, and which of them the corpus does not settle.

    Raises:
        UsageError, ManifestError, StorageError.
    """
    ledger = LedgerRows(build.output, build.parent)
    given = Inputs()  # what two name is one
    found = read_sources(
        asked.sources,
        build.output,
        store=build.cache.root,
        known=ledger,
        skip_bad_rows=asked.skip_bad_rows,
        say=warn,
    )
    for row in found:
        if asked.limit is not None and row.input not in given.names and len(given) == asked.limit:
            break
        given.add(asked.heard(row))
    if asked.mirror:
        build = replace(
            build,
            dropped=leaving(given.names, ledger, sure=asked.yes or asked.dry_run),
            facts=replace(build.facts, mirrored=True),
        )
    taken = {row.input: row.uris for row in removed_of(given, build.parent)}
    named = {uri for name, uris in taken.items() for uri in (name, *uris)}
    sources = tuple(source for source in build.facts.sources if source not in named)
    build = replace(build, facts=replace(build.facts, sources=sources))
    rows = Inputs(row for row in _signed(given, asked, build) if row.input not in taken)
    check_there(rows, ledger)
    if asked.where:
        parts = build.parent.index if build.parent else ()
        measured = {name for of in (asked.recorded().get("signals") or {}).values() for name in of}
        build = replace(build, condition=condition(asked.where, rows, parts, measured))
    check_columns(build, rows.names, ledger)
    lost: frozenset[str] = frozenset()
    if state := build.parent:
        missing = missing_shards(build.output, state)
        lost = keys_in(build.output, state, missing)
        build = replace(build, missing=missing)
    lacking = Inputs(to_build(rows, ledger, asked.retry, lost)) if ledger else rows
    work = bool(lacking or build.dropped or lost)
    if work and not asked.dry_run:
        _check_writable(build.output)
    return Job(build, lacking, files.staging_path(build.output), given.names, work)


def _signed(given: Inputs, asked: Settings, build: Build) -> Iterator[InputRow]:
    """Stores are asked for the versions of many at once."""
    made = made_of(build.products, build.cutting, asked.where, asked.uris)
    for first in range(0, len(given), _SIGNED_AT_ONCE):
        versions = fetch.versions(uri for row in given.part(first, _SIGNED_AT_ONCE) for uri in row.uris)
        yield from (signed(row, versions, made) for row in given.part(first, _SIGNED_AT_ONCE))


def _check_writable(output: str) -> None:
    probe = files.join(output, files.STAGING, "writable")
    try:
        files.put(probe, b"writable", output)
        files.delete(probe)
    except (StorageError, ValueError) as error:
        if error.__cause__ and faults.of(error.__cause__):  # a disk that is full or fails
            raise
        raise UsageError(f"--output: {error}") from error


def _progress_file(stack: ExitStack) -> str:
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="favor-data-"))
    path = Path(folder) / "progress"
    path.touch()
    return str(path)


def _run(
    job: Job, beams: PipelineOptions, bar: AbstractContextManager[object], telling: Telling
) -> tuple[dict[str, float], Counter[str]]:
    """Seconds and counters."""
    if beams.view_as(StandardOptions).runner in HERE:
        ZYGOTE.start()  # its imports beside ours
    from pipelines.build_corpus import build_corpus  # RunInference takes torch with it: seconds

    beams.view_as(SetupOptions).save_main_session = False
    telling.pipeline = root = beam.Pipeline(options=beams)
    started = time.monotonic()
    try:
        with bar, root:
            build_corpus(root | "Read sources" >> inputs.ReadInputs(job.path), job.build)
    except Exception as error:
        if fault := faults.of(error):
            raise fault from error
        raise
    seconds = {"build": round(time.monotonic() - started, 3), **seconds_by_stage(root.result)}
    return seconds, counted(root.result)
