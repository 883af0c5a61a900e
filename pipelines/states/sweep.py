"""What no state names goes; what only a kept state needs moves out of the plain readers' way."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import StorageError
from pipelines.states.commit import latest, latest_number, read_named, tables_of
from pipelines.states.handover import take_back
from pipelines.states.listed import listed
from pipelines.states.parts import read_part
from schemas.rows import INDEX, read_table
from schemas.state import CLAIMS, KEPT, STATES, TABLES, State, state_name
from storage import files

_SHARDS = pa.schema([INDEX.field("shard"), INDEX.field("columns")])
_FOLDERS = ("shards", "columns", TABLES, STATES, CLAIMS, KEPT)


def at_work(output: str, but: Collection[str] = ()) -> bool:
    """Whether somebody writes into the corpus now, or did within a day on a machine that cannot be asked."""
    files.sweep(output)
    found = files.listing(files.join(output, files.STAGING))
    return bool({path.removesuffix(files.ALIVE) for path in found} - set(but))


def shards_of(output: str, state: State) -> set[str]:
    """Every shard that a state names, of every layer."""
    found: set[str] = set()
    for part in state.index:
        table = read_table(read_part(output, part.table), _SHARDS)
        found.update(pc.unique(table["shard"]).to_pylist())
        layers = pc.list_flatten(table["columns"])
        found.update(pc.unique(pc.struct_field(layers, "shard")).to_pylist())
    return found - {""}


def kept_states(output: str) -> dict[str, State]:
    """Name -> state that `favor-data keep` pinned; raises UsageError, StorageError."""
    return {name: read_named(output, f"{KEPT}/{name}.json") for name in kept_names(output)}


def kept_names(output: str) -> list[str]:
    """Theirs alone."""
    found = [name.removeprefix(f"{KEPT}/") for name in listed(output, KEPT)]
    return [name.removesuffix(".json") for name in found if name.endswith(".json") and "/" not in name]


def sweep(output: str, own: Collection[str] = ()) -> None:
    """Deletes what neither the present nor a kept state names; nothing while somebody else is at work.
    Features that a killed build handed over go back into the cache first.

    Args:
        own: the caller's files in `.tmp`.

    Raises:
        StorageError.
    """
    # In this order: who wrote what is listed has ended if nobody is at work, and then its state is known.
    present = listed(output, *_FOLDERS)
    alone = not at_work(output, own)
    state = latest(output)
    if not alone or (state and _tidy(state, present)):
        return
    if state is None:  # killed before its first commit, its claims stay: the same build makes the same names
        files.delete_many(take_back(output))
        return
    kept = kept_states(output)
    current = shards_of(output, state)
    wanted = {shard for other in kept.values() for shard in shards_of(output, other)} - current
    for shard in sorted(wanted):
        _move(_path(output, shard), _path(output, KEPT, shard))
    named = current | tables_of(state) | {state_name(state.state)}
    named |= {f"{KEPT}/{name}.json" for name in kept} | {f"{KEPT}/{shard}" for shard in wanted}
    named |= {name for other in kept.values() for name in tables_of(other)}
    take_back(output, named)
    doomed = {path for name, path in present.items() if name not in named}
    if latest_number(output) == state.state:  # else a newer commit sweeps
        files.delete_many(sorted(doomed))
        _prune_folders(output)


def _tidy(state: State, names: Collection[str]) -> bool:
    """Whether there can be nothing to sweep, judged by numbers of files alone."""
    shards = sum(name.startswith(("shards/", "columns/")) for name in names)
    tables = sum(name.startswith(f"{TABLES}/") for name in names)
    others = sum(name.startswith((f"{CLAIMS}/", f"{STATES}/")) for name in names)
    return (shards, tables, others) == (state.counts["shards"], len(tables_of(state)), 1)


def _move(source: str, destination: str) -> None:
    if not files.exists(source):
        if files.exists(destination):
            return
        raise StorageError(f"{source} is missing: run favor-data verify")
    if files.is_local(source):
        Path(destination).parent.mkdir(parents=True, exist_ok=True)
        Path(source).replace(destination)
        return
    with files.open_read(source) as there, files.atomic_writer(destination) as here:
        shutil.copyfileobj(there, here, 1 << 20)
    files.delete(source)


def _prune_folders(output: str) -> None:
    if not files.is_local(output):
        return
    for folder in _FOLDERS:  # os.walk passes over what goes meanwhile: another sweep may be at it too
        for path, _, _ in os.walk(Path(output, folder), topdown=False):
            with suppress(OSError):  # not empty
                Path(path).rmdir()


def _path(output: str, *parts: str) -> str:
    return files.join(output, *(piece for part in parts for piece in part.split("/")))
