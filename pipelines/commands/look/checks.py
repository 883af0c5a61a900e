"""A corpus against itself: shards against index, ledger, cache and states, every fault and what mends it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from decoders.cores import cores
from pipelines.commands.look import version_1
from pipelines.commands.look.samples import SampleChecker
from pipelines.commands.look.tables import ledger_faults, single_file_faults
from pipelines.errors import StorageError, UsageError
from pipelines.products import products_of_build
from pipelines.states.commit import latest, latest_number
from pipelines.states.migrate import is_version_1
from pipelines.states.parts import Parts
from pipelines.states.sweep import at_work, kept_states, shards_of, tables_of
from pipelines.storage.cache import Cache
from schemas.corpus import CACHE_NAME, CORPUS_NAME
from schemas.rows import Row
from schemas.shard import end_of_tar
from schemas.state import BASE, KEPT, FormatError, State
from storage import files

BUILD = "mend: favor-data build with the same SOURCEs"
_TRIES = 5  # states that were replaced while they were looked at


def verify(output: str, cache: str | None = None) -> list[str]:
    """One line a fault: what, where, and what mends it.

    A state that a build replaces meanwhile is no fault: then the newer one is looked at.

    Raises:
        UsageError: no corpus there.
    """
    if latest_number(output) == 0 and not files.exists(files.join(output, CORPUS_NAME)):
        raise UsageError(f"{output} holds no corpus: name the folder that build wrote")
    if is_version_1(output):
        return list(version_1.verify(output, cache))
    for _ in range(_TRIES):
        number = latest_number(output)
        try:
            state = latest(output)
            assert state is not None
            faults = list(_faults(output, state, cache))
        except FormatError as error:
            return [str(error)]
        except (StorageError, OSError, ValueError) as error:
            faults = [f"{str(error).splitlines()[0]}: {BUILD}"]
        if latest_number(output) == number:
            return faults
    return [f"{output}: builds commit faster than it can be read; try again"]


def _faults(output: str, state: State, cache: str | None) -> Iterator[str]:
    parts = Parts(output)
    index = [row for part in state.index for row in parts.index(part)]
    ledger = [row for part in state.ledger for row in parts.ledger(part)]
    working = at_work(output)
    yield from ledger_faults(state, index, ledger)
    yield from single_file_faults(output, state, working)
    yield from _file_faults(output, state, working)
    products = products_of_build(state.columns, state.options)
    root = Cache(files.absolute(cache or files.join(output, CACHE_NAME)))
    checker = SampleChecker(output, state, products, root)
    yield from _shard_faults(output, index, checker)
    for name, kept in kept_states(output).items():
        for fault in _shard_faults(output, [row for part in kept.index for row in parts.index(part)], None):
            yield f"{KEPT}/{name}: {fault}"


def _file_faults(output: str, state: State, working: bool) -> Iterator[str]:
    """Files that no state names, and what killed builds left, where no build is at work."""
    if working:
        return
    kept = kept_states(output)
    named = shards_of(output, state) | tables_of(state)
    for other in kept.values():
        named |= tables_of(other) | {f"{KEPT}/{shard}" for shard in shards_of(output, other)}
    for folder in ("shards", "columns", "tables"):
        root = files.join(output, folder)
        for path in files.listing(root):
            name = f"{folder}/{path.removeprefix(root).lstrip('/')}"
            if name not in named:
                yield f"{name}: no state names this file; a killed build left it: {BUILD}"


def _shard_faults(output: str, index: list[Row], checker: SampleChecker | None) -> Iterator[str]:
    """Of every shard of every layer; what is in a sample only where a checker looks."""
    shards: dict[tuple[str, str], list[tuple[Row, Row]]] = defaultdict(list)
    for row in index:
        for layer, extent in [(BASE, row), *((held["column"], held) for held in row["columns"])]:
            if extent["size"]:
                shards[extent["shard"], layer].append((row, extent))
    with ThreadPoolExecutor(cores()) as threads:

        def check(item: tuple[tuple[str, str], list[tuple[Row, Row]]]) -> list[str]:
            (shard, layer), rows = item
            return [f"{shard}: {fault}" for fault in _faults_of_shard(output, shard, layer, rows, checker)]

        for faults in threads.map(check, sorted(shards.items(), key=lambda item: item[0])):
            yield from faults


def _faults_of_shard(
    output: str, shard: str, layer: str, rows: list[tuple[Row, Row]], checker: SampleChecker | None
) -> Iterator[str]:
    path = files.join(output, *shard.split("/"))
    if not files.exists(path):
        path = files.join(output, KEPT, *shard.split("/"))
        if checker is not None or not files.exists(path):
            yield f"missing: {BUILD}"
            return
    rows.sort(key=lambda pair: int(pair[1]["offset"]))
    if [row["key"] for row, _ in rows] != sorted(row["key"] for row, _ in rows):
        yield "keys out of order"
    end = 0
    with files.open_read(path) as stream:
        for row, extent in rows:
            if extent["offset"] != end:
                yield f"bytes {end} to {extent['offset']} belong to no sample"
            stream.seek(extent["offset"])
            data = stream.read(extent["size"])
            end = extent["offset"] + extent["size"]
            yield from (
                f"{row['key']}: {fault}" for fault in extent_faults(layer, row, extent, data, checker)
            )
        stream.seek(end)
        rest = stream.read()
    if rest != end_of_tar(end):
        yield f"truncated, or more follows the last sample: {BUILD}"


def extent_faults(
    layer: str, row: Row, extent: Row, data: bytes, checker: SampleChecker | None
) -> Iterator[str]:
    """Of one sample's bytes in one shard."""
    if hashlib.sha256(data).hexdigest() != extent["sha256"]:
        yield f"{len(data)} bytes differ from the index's digest: {BUILD}"
    if checker is not None:
        yield from checker.faults(layer, row, data)
