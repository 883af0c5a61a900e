"""`favor-data report OUT [--output FILE.html]`: the corpus as one page that asks for nothing else."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from decoders.cores import cores
from decoders.processes.zygote import ZYGOTE
from pipelines.commands.draw.looking import Looker
from pipelines.commands.of_corpus import parse_of_corpus
from pipelines.commands.parser import Parser
from pipelines.errors import UsageError
from pipelines.states.commit import latest, undisturbed
from pipelines.states.derived import ensure_derived
from pipelines.states.migrate import is_version_1
from report.facts import facts
from report.page import bytes_text, page
from report.sheet import Sheet, sheet
from schemas.corpus import INDEX_NAME, LEDGER_NAME
from schemas.selection.where import Where, WhereError
from schemas.state import BUILDS, State
from storage import files

SAMPLES = 12
_SEED = 0
_LEDGER = ["input", "status", "reason", "detail"]


def run(argv: Sequence[str]) -> int:
    """Exit status 0.

    Raises:
        UsageError: no corpus, no such sample, or a condition that is none.
        StorageError.
    """
    parser = Parser(
        prog="favor-data report",
        description="Write a page that shows a corpus: totals, rejections, distributions, and samples on "
        "their time axis. It needs no network.",
    )
    parser.add_argument("corpus", metavar="OUT")
    parser.add_argument("--output", metavar="FILE.html", help="where to (OUT's name with .html, here)")
    parser.add_argument(
        "--samples", type=int, default=SAMPLES, metavar="N", help="how many are drawn (%(default)s)"
    )
    parser.add_argument("--where", metavar="SQL", help='draw those that pass, as "words > 20"')
    parser.add_argument(
        "--key", action="append", default=[], metavar="KEY", help="draw this one; several times"
    )
    arguments, output = parse_of_corpus(parser, argv)
    target = Path(arguments.output or f"{files.split(output)[1] or 'corpus'}.html")
    drawn = partial(report, output, target, arguments.samples, arguments.where, arguments.key)
    written = undisturbed(output, drawn)
    print(f"{target}: {bytes_text(written)}, for any browser")
    return 0


def report(
    output: str, target: Path, samples: int = SAMPLES, where: str | None = None, keys: Sequence[str] = ()
) -> int:
    """Writes the page; its bytes. Raises as `run` does."""
    state = state_of(output)
    ZYGOTE.start(resampling="audio" not in state.options["keep"])  # its imports beside the reading of tables
    index = index_of(output)
    ledger = pq.read_table(
        pa.BufferReader(files.read_bytes(files.join(output, LEDGER_NAME))), columns=_LEDGER
    )
    rows, chosen = _choice(index, samples, where, keys)
    gathered = facts(state, index, ledger, _notes(output))
    html = page(f"{files.split(output)[1]}: {state.counts['samples']:,} samples", gathered,
                sheets_of(output, state, index, rows), index, chosen)  # fmt: skip
    content = html.encode()
    try:
        target.write_bytes(content)
    except OSError as error:
        raise UsageError(f"--output {target} cannot be written: {error.strerror}") from error
    return len(content)


def state_of(output: str) -> State:
    """The present one, which the index at the root is of.

    Raises:
        UsageError: no corpus, or one of version 1.
    """
    if is_version_1(output):
        raise UsageError(
            f"{output} is of version 1: favor-data migrate {output} first (shards stay as they are)"
        )
    state = latest(output)
    if state is None:
        raise UsageError(f"{output} holds no corpus: name the folder that build wrote")
    ensure_derived(output, state)
    return state


def index_of(output: str) -> pa.Table:
    """All its rows."""
    return pq.read_table(pa.BufferReader(files.read_bytes(files.join(output, INDEX_NAME))))


def sheets_of(output: str, state: State, index: pa.Table, rows: Sequence[int]) -> list[Sheet]:
    """The samples of some rows, drawn."""
    with closing(Looker(output, state.options)) as looker:

        def drawn(number: int) -> Sheet:
            [row] = index.slice(number, 1).to_pylist()
            found = looker.look(row)
            return sheet(row, found.record, found.said, found.words, found.medium)

        with ThreadPoolExecutor(cores() + 1) as threads:  # one more than decoders: some draw meanwhile
            return list(threads.map(drawn, rows))


def _choice(index: pa.Table, samples: int, where: str | None, keys: Sequence[str]) -> tuple[list[int], str]:
    """Rows to draw, and how they were chosen, in words."""
    if keys:
        places = {key: at for at, key in enumerate(index["key"].to_pylist())}
        if unknown := [key for key in keys if key not in places]:
            raise UsageError(f"no sample {unknown[0]!r}: index.parquet lists the keys")
        return [places[key] for key in keys], "The samples that were asked for."
    rows, said = range(len(index)), "at random"
    passing = list(rows)
    if where is not None:
        try:
            passing = np.flatnonzero(Where(where).passed(index).mask).tolist()
        except WhereError as error:
            raise UsageError(f"--where: {error}") from error
        said = f"of {len(passing):,} that pass {where}, at random"
    drawn = sorted(random.Random(_SEED).sample(passing, min(samples, len(passing))))
    return drawn, f"{len(drawn)} of {len(index):,} samples, {said}."


def _notes(output: str) -> list[dict[str, Any]]:
    found = sorted(files.listing(files.join(output, BUILDS)))
    return [json.loads(content) for content in files.read_many(found) if content]
