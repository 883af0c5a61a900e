"""`favor-data build`: arguments in, corpus and summary out."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions

from featurizers.errors import ModelUnavailable
from pipelines.build import prepare
from pipelines.changes import read_ledger
from pipelines.commands import options
from pipelines.commands.make.progress_bar import ProgressBar
from pipelines.commands.make.summary import summarize
from pipelines.errors import StorageError, UsageError
from pipelines.jobs.launch import launch, look
from pipelines.metrics.counters import isolation
from pipelines.metrics.progress import Progress
from pipelines.settings import Settings
from pipelines.storage.beam_options import adopt
from schemas.manifest import ManifestError
from storage import web


def run(argv: Sequence[str]) -> int:
    """Exit status: 0 all accounted for and a sample written, 1 none written or a storage that fails.

    Raises:
        UsageError: what the user gave cannot be used.
    """
    try:
        asked, beams = options.parse(argv)
        if asked.dry_run:
            return _rehearse(asked, beams)
        done = launch(asked, beams, warn=options.warn, bar=ProgressBar)
    except StorageError as error:
        print(f"favor-data: {error}; what is done is kept: mend that and run the same command again",
              file=sys.stderr)  # fmt: skip
        return 1
    except (ManifestError, ModelUnavailable) as error:
        raise UsageError(str(error)) from error
    ledger = [row for name, row in read_ledger(done.output, done.state).items() if name in done.named]
    if done.state is not None:
        print(summarize(done.output, done.state, ledger, done.seconds, isolation(done.counters)))
    return 0 if any(row["status"] == "done" for row in ledger) else 1


def _rehearse(asked: Settings, beams: PipelineOptions) -> int:
    adopt(beams, options.warn)
    with web.guarded(frozenset(web.hosts(asked.named))):
        job = look(asked, prepare(asked, Progress(None)))
    for row in job.build.dropped:
        print(f"would leave: {row['input']}")
    lacking = sum(row.input in job.named for row in job.rows)
    print(
        f"{job.build.output}: {len(job.named)} inputs named; {lacking} would be looked at, "
        f"{len(job.build.dropped)} would leave"
    )
    return 0
