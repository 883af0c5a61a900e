"""Shards that a state names and that somebody deleted: a build makes them again."""

from __future__ import annotations

from collections.abc import Collection

from pipelines.states.commit import ConflictError, latest_number
from pipelines.states.parts import Parts
from pipelines.states.sweep import shards_of
from schemas.state import State
from storage import files

_FOLDERS = ("shards", "columns")


def missing_shards(output: str, state: State) -> frozenset[str]:
    """Their names inside the corpus.

    Raises:
        ConflictError: the state is the present one no more.
        StorageError.
    """
    there = set()
    for folder in _FOLDERS:
        root = files.join(output, folder)
        there |= {f"{folder}/{path.removeprefix(root).lstrip('/')}" for path in files.listing(root)}
    missing = shards_of(output, state) - there
    if missing and latest_number(output) != state.state:
        raise ConflictError("a newer state has swept them")
    return frozenset(missing)


def keys_in(output: str, state: State, shards: Collection[str]) -> frozenset[str]:
    """Keys of the samples that have a layer in one of the shards."""
    if not shards:
        return frozenset()
    parts = Parts(output)
    return frozenset(
        row["key"]
        for part in state.index
        for row in parts.index(part)
        if any(extent["shard"] in shards for extent in (row, *row["columns"]))
    )
