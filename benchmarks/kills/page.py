"""The table of docs/reliability.md: every point between two writes of every command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

BEGIN, END = "<!-- points: python -m benchmarks.kills.points --write docs/reliability.md -->", "<!-- end -->"
HEAD = """\
| command | points | before a write of | on after the kill with | ends in |
|---|---:|---|---|---|
"""
_PEOPLE = {"index.parquet", "conversations.parquet", "ledger.parquet", "corpus.json"}
_KINDS = {
    "cache": "cache entries",
    "claims": "claims",
    "shards": "shards",
    "columns": "column shards",
    "tables": "parts of tables",
    "states": "the state",
    "kept": "kept states",
    "builds": "the note of the build",
    "snapshots": "tables of version 1",
}


def row(name: str, writes: Iterable[str], after: str) -> str:
    """One command's line.

    Args:
        writes: as benchmarks.kills.writes names them.
        after: the command that follows where the same one finds all done.
    """
    counts: Counter[str] = Counter()
    for write in writes:
        counts[kind(write)] += 1
    told = ", ".join(f"{kind} {count}" for kind, count in counts.items())
    then = f"the same; all done: `{after}`" if after else "the same"
    return f"| {name} | {counts.total()} | {told} | {then} | the same bytes |\n"


def kind(write: str) -> str:
    """What a write is one of, for people."""
    verb, _, path = write.partition(" ")
    folder = path.partition("/")[0]
    if path in (".tmp", "cache/.tmp"):
        return "unfinished files"
    made = "files for people" if path in _PEOPLE else _KINDS.get(folder, "unfinished files")
    return f"{made} (deleted)" if verb == "delete" else made


def table(rows: Iterable[str]) -> str:
    """What stands between the marks."""
    return f"\n\n{HEAD}{''.join(rows)}\n"
