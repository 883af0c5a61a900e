"""`favor-data build`: arguments in, corpus and summary out."""

from __future__ import annotations

import json
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from featurizers.errors import ModelUnavailable
from featurizers.registry import resolve
from pipelines.build import prepare
from pipelines.changes import ledger_rows
from pipelines.commands import afresh, options, stopping
from pipelines.commands.make.progress_bar import ProgressBar
from pipelines.commands.make.summary import Tally, as_json, bytes_text, fitted, summarize
from pipelines.errors import StorageError, UsageError
from pipelines.jobs import faults
from pipelines.jobs.launch import HERE, Launched, check_sources, check_stores, launch, look
from pipelines.metrics.counters import isolation
from pipelines.metrics.progress import Progress
from pipelines.settings import Settings, settings
from pipelines.states.commit import latest, undisturbed
from pipelines.storage.beam_options import adopt
from schemas.manifest import ManifestError
from schemas.reasons import MachineError
from schemas.state import State
from storage import web


def run(argv: Sequence[str]) -> int:
    """Exit status: 0 all accounted for and a sample written, 1 none written, 3 the storage or the machine
    failed (or we did), 4 more rejected than `--max-rejected`.

    Raises:
        UsageError: what the user gave cannot be used.
    """
    asked, beams = options.parse(argv)
    try:
        if asked.dry_run:
            return _rehearse(asked, beams)
        bar = None if asked.quiet else ProgressBar
        done = launch(asked, beams, warn=options.warn, bar=bar, fetching=_fetching(asked))
    except (StorageError, MachineError) as error:
        return _failed(error, beams)
    except (ManifestError, ModelUnavailable) as error:
        raise UsageError(str(error)) from error
    except (UsageError, ModuleNotFoundError, BrokenPipeError):
        raise
    except Exception as error:
        if stopping.received():
            raise
        return _failed(error, beams)
    state, tally = undisturbed(done.output, lambda: _tally(done))
    if state is not None and (asked.json or not asked.quiet):
        say = as_json if asked.json else summarize
        text = say(done.output, state, tally, done.seconds, isolation(done.counters))
        shown = sys.stdout.isatty() and not asked.json
        print(fitted(text, shutil.get_terminal_size().columns) if shown else text)
    return _status(tally, asked.max_rejected)


def _failed(error: Exception, beams: PipelineOptions) -> int:
    """The exit status; where it may be this process that is broken, that of a fresh one."""
    fault = error if isinstance(error, (StorageError, MachineError)) else faults.of(error)
    if fault is None:  # loud, and told from a build that found no sample
        traceback.print_exception(error)
    if not isinstance(fault, StorageError) and beams.view_as(StandardOptions).runner in HERE:
        afresh.begin(error)
    if fault is None:
        print("favor-data: a bug, or a runner that failed; no input is settled by it", file=sys.stderr)
    else:
        kept = "what is done is kept: mend that and run the same command again"
        print(f"favor-data: {fault}; {kept}", file=sys.stderr)
    return 3


def _tally(done: Launched) -> tuple[State | None, Tally]:
    """What became of the inputs that were named, and the state that says so: another build may have committed
    since."""
    state = latest(done.output) if done.state else None
    return state, Tally(row for row in ledger_rows(done.output, state) if row["input"] in done.named)


def _status(tally: Tally, max_rejected: float | None) -> int:
    if max_rejected is not None and (too_many := _too_many(tally, max_rejected)):
        print(f"favor-data: {too_many}", file=sys.stderr)
        return 4
    return 0 if tally.statuses["done"] or tally.statuses["filtered"] else 1


def _fetching(asked: Settings) -> Callable[[], None] | None:
    """Says what will be fetched; None: all weights are here."""
    lines = [f"favor-data: {line}" for line in _fetched_first(asked)]
    return (lambda: None if asked.quiet else print(*lines, sep="\n", file=sys.stderr)) if lines else None


def _fetched_first(asked: Settings) -> Iterator[str]:
    """Weights that are not here: how much, and where to."""
    defaults = settings(output=asked.output).columns() if not asked.accelerator else {}
    for column, spec in asked.columns().items():
        described = resolve(column, spec, device=asked.device, gpu_workers=asked.accelerator is not None)
        if missing := described.to_fetch():
            size = bytes_text(missing.size) if missing.size else "its weights"
            default = f" (the default: --{column} names another)" if defaults.get(column) == spec else ""
            yield f"{spec}{default}: {size} will be fetched into {missing.into} first"


def _too_many(tally: Tally, most: float) -> str:
    """What is to be said where a larger share of the inputs than `most` was rejected; a film of which some
    spans are lost counts by their share."""
    inputs = tally.statuses.total()
    if not inputs or tally.lost <= most * inputs:
        return ""
    said = ", ".join(f"{reason} {count}" for reason, count in tally.reasons.most_common())
    return (
        f"{100 * tally.lost / inputs:.3g} % of {inputs} inputs were rejected, more than --max-rejected "
        f"{100 * most:.3g}% ({said}); the rest is committed"
    )


def _rehearse(asked: Settings, beams: PipelineOptions) -> int:
    adopt(beams, options.warn)
    with web.guarded(frozenset(web.hosts(asked.named))):
        check_stores(asked)
        if fetching := _fetching(asked):
            check_sources(asked)
            fetching()
        job = look(asked, prepare(asked, Progress(None)), options.warn)
    lacking = len(job.rows)
    leaving = [row["input"] for row in job.build.dropped]
    if asked.json:
        said = {
            "output": job.build.output,
            "named": len(job.named),
            "to_look_at": lacking,
            "leaving": leaving,
        }
        print(json.dumps(said, sort_keys=True))
        return 0
    for name in leaving:
        print(f"would leave: {name}")
    print(
        f"{job.build.output}: {len(job.named)} inputs named; {lacking} would be looked at, "
        f"{len(leaving)} would leave"
    )
    return 0
