"""`favor-data build`: arguments in, corpus and summary out."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from featurizers.errors import ModelUnavailable
from pipelines.changes import read_ledger
from pipelines.commands import options
from pipelines.commands.make.progress_bar import ProgressBar
from pipelines.commands.make.summary import summarize
from pipelines.errors import StorageError, UsageError
from pipelines.launch import launch
from schemas.manifest import ManifestError


def run(argv: Sequence[str]) -> int:
    """Exit status: 0 all accounted for and a sample written, 1 none written or a storage that fails.

    Raises:
        UsageError: what the user gave cannot be used.
    """
    try:
        done = launch(*options.parse(argv), warn=options.warn, bar=ProgressBar)
    except StorageError as error:
        print(f"favor-data: {error}; what is done is kept: mend that and run the same command again",
              file=sys.stderr)  # fmt: skip
        return 1
    except (ManifestError, ModelUnavailable) as error:
        raise UsageError(str(error)) from error
    ledger = [row for name, row in read_ledger(done.output, done.state).items() if name in done.named]
    if done.state is not None:
        print(summarize(done.output, done.state, ledger, done.seconds))
    return 0 if any(row["status"] == "done" for row in ledger) else 1
