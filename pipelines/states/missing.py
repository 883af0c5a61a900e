"""Shards that a state names and that somebody deleted: a build makes them again."""

from __future__ import annotations

from collections.abc import Collection

from pipelines.states.commit import ConflictError, latest_number
from pipelines.states.listed import listed
from pipelines.states.parts import Parts
from pipelines.states.sweep import shards_of
from schemas.state import State


def missing_shards(output: str, state: State) -> frozenset[str]:
    """Their names inside the corpus.

    Raises:
        ConflictError: the state is the present one no more.
        StorageError.
    """
    missing = shards_of(output, state) - listed(output, "shards", "columns").keys()
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
