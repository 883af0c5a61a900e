"""Faults of a state's tables, and of the files for people that were written from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from pipelines.states.derived import corpus_bytes, corpus_state, derived_tables, described
from schemas.corpus import CORPUS_NAME, INDEX_NAME, LEDGER_NAME
from schemas.reasons import Reason, Stage
from schemas.rows import Row
from schemas.state import State
from storage import files

_STATUSES = ("done", "rejected", "filtered", "removed")
_LIST = "mend: favor-data list {0}"
_DELETE = "mend: delete it, then favor-data list {0}"


def crossed_faults(
    index: list[Row], ledger: list[Row], row_faults: Callable[[Row], Iterable[str]]
) -> Iterator[str]:
    """Rows that are there twice or do not fit one another; `row_faults`: of a row of the ledger by itself."""
    for name, count in Counter(row["input"] for row in ledger).items():
        if count > 1:
            yield f"{LEDGER_NAME}: {name} has {count} rows"
    for key, count in Counter(row["key"] for row in index).items():
        if count > 1:
            yield f"{INDEX_NAME}: key {key} is there {count} times"
    for row in ledger:
        yield from (f"{LEDGER_NAME}: {row['input']}: {fault}" for fault in row_faults(row))
    claimed = {key for row in ledger for key in row["keys"]}
    keys = {row["key"] for row in index}
    yield from (f"{LEDGER_NAME}: key {key} is not in the index" for key in sorted(claimed - keys))
    yield from (f"{INDEX_NAME}: key {key} has no input in the ledger" for key in sorted(keys - claimed))


def ledger_faults(state: State, index: list[Row], ledger: list[Row]) -> Iterator[str]:
    """As `crossed_faults`, and counts that are not so."""
    yield from crossed_faults(index, ledger, _row_faults)
    statuses = Counter(row["status"] for row in ledger)
    extents = [extent for row in index for extent in (row, *row["columns"]) if extent["size"]]
    counted = {
        "inputs": len(ledger),
        **{status: statuses[status] for status in _STATUSES},
        "samples": len(index),
        "steps": sum(row["steps"] for row in index),
        "shards": len({extent["shard"] for extent in extents}),
        "bytes": sum(extent["size"] for extent in extents),
        "conversations": sum(row["conversations"] for row in index),
    }
    for name, count in counted.items():
        if (said := state.counts[name]) != count:
            yield f"state {state.state}: says {said} {name}, its tables hold {count}"


def _row_faults(row: Row) -> Iterator[str]:
    if row["status"] not in _STATUSES:
        yield f"status {row['status']!r}"
    elif row["status"] == "done":
        if not row["keys"] or row["reason"]:
            yield "done without a sample, or with a reason"
    elif row["keys"]:
        yield f"{row['status']} with samples"
    elif row["status"] == "rejected" and (row["reason"] not in set(Reason) or row["stage"] not in set(Stage)):
        yield f"rejected for no known reason: {row['reason']!r} at {row['stage']!r}"


def single_file_faults(output: str, state: State, working: bool) -> Iterator[str]:
    """Of the tables at the top; one of an older state is no fault while a build is at work."""
    for name, content in derived_tables(output, state).items():
        found = described(output, name)
        if found is None:
            yield f"{name}: missing or damaged: {_LIST.format(output)}"
        elif found != state.state:
            if not working:
                said = f"describes state {found}, the present one is {state.state}"
                yield f"{name}: {said}: {_LIST.format(output)}"
        elif files.read_bytes(files.join(output, name)) != content:
            yield f"{name}: not what the state's tables hold: {_DELETE.format(output)}"
    found = corpus_state(output)
    if found is None or (found != state.state and not working):
        yield f"{CORPUS_NAME}: missing, damaged or of another state: {_LIST.format(output)}"
    elif found == state.state and files.read_bytes(files.join(output, CORPUS_NAME)) != corpus_bytes(state):
        yield f"{CORPUS_NAME}: not what the state says: {_DELETE.format(output)}"
