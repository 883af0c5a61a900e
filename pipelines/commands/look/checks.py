"""A corpus against itself: shards against index, ledger, cache and states, every fault and what mends it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import IO

from decoders.cores import cores
from pipelines.commands.look import version_1
from pipelines.commands.look.samples import SampleChecker
from pipelines.commands.look.tables import ledger_faults, single_file_faults
from pipelines.errors import StorageError, UsageError
from pipelines.products import products_of_build
from pipelines.states.commit import latest, latest_number, read_named, tables_of
from pipelines.states.listed import listed
from pipelines.states.migrate import is_version_1
from pipelines.states.parts import MissingPartError, Parts, part_name, read_part
from pipelines.states.sweep import at_work, kept_names, shards_of
from pipelines.storage.cache import Cache
from schemas.corpus import CACHE_NAME, CORPUS_NAME
from schemas.rows import Row
from schemas.shard import end_of_tar
from schemas.state import BASE, KEPT, STATES, TABLES, State, state_name
from storage import files

AGAIN = "mend: favor-data build --again {0}"
DELETE = "mend: delete it, then favor-data build --again {0}"
LIST = "mend: delete it, then favor-data list {0}"
RELEASE = "mend: favor-data keep {0} {1} --release, then favor-data prune {0}"
ELSEWHERE = (
    "nothing mends it in place: favor-data build into another --output (--cache {0}/cache: nothing twice)"
)
_TRIES = 5  # states that were replaced while they were looked at


def verify(output: str, cache: str | None = None) -> list[str]:
    """One line a fault: what, where, and what mends it.

    A state that a build replaces meanwhile is no fault: then the newer one is looked at.

    Raises:
        UsageError: no corpus there.
    """
    if latest_number(output) == 0 and not files.exists(files.join(output, CORPUS_NAME)):
        raise UsageError(f"{output} holds no corpus: name the folder that build wrote")
    for _ in range(_TRIES):
        number = latest_number(output)
        try:
            if is_version_1(output):
                return list(version_1.verify(output, cache))
            state = latest(output)
            assert state is not None
            faults = list(_faults(output, state, cache))
        except UsageError as error:
            faults = [f"{error}: {ELSEWHERE.format(output)}"]
        except (StorageError, OSError) as error:
            faults = [f"{str(error).splitlines()[0]}: {ELSEWHERE.format(output)}"]
        if latest_number(output) == number:
            return faults
    return [f"{output}: builds commit faster than it can be read; try again"]


def _faults(output: str, state: State, cache: str | None) -> Iterator[str]:
    damaged = list(_part_faults(output, tables_of(state)))
    kept, lost = _kept(output, tables_of(state))
    yield from (*damaged, *lost)
    if damaged:
        return  # the rest is judged by them
    parts = Parts(output)
    index = [row for part in state.index for row in parts.index(part)]
    ledger = [row for part in state.ledger for row in parts.ledger(part)]
    # Before it is asked who is at work: what a build writes is its own.
    there = listed(output, "shards", "columns", TABLES, STATES, KEPT)
    working = at_work(output)
    yield from (f"{fault}: {ELSEWHERE.format(output)}" for fault in ledger_faults(state, index, ledger))
    yield from single_file_faults(output, state, working)
    if not (working or lost):
        yield from _file_faults(output, state, kept, there)
    products = products_of_build(state.columns, state.options)
    root = Cache(files.absolute(cache or files.join(output, CACHE_NAME)))
    checker = SampleChecker(output, state, products, root)
    yield from _shard_faults(output, index, checker)
    for name, other in kept.items():
        rows = [row for part in other.index for row in parts.index(part)]
        for fault in _shard_faults(output, rows, None):
            yield f"{KEPT}/{name}: {fault}: {RELEASE.format(output, name)}"


def _part_faults(output: str, names: Iterable[str]) -> Iterator[str]:
    """Parts of the tables are named by their content."""
    for name in sorted(names):
        try:
            content = read_part(output, name)
        except MissingPartError:
            yield f"{name}: missing: mend: favor-data list {output}"
            continue
        kind = name.partition("/")[2].partition("-")[0]
        if part_name(kind, content) != name:
            yield f"{name}: its bytes are not those that its name says: {LIST.format(output)}"


def _kept(output: str, judged: Collection[str]) -> tuple[dict[str, State], list[str]]:
    """Kept states by name, and faults of those that cannot be read; parts that are judged already aside."""
    kept, faults = {}, []
    for name in kept_names(output):
        try:
            kept[name] = read_named(output, f"{KEPT}/{name}.json")
            damaged = list(_part_faults(output, tables_of(kept[name]).difference(judged)))
        except UsageError as error:
            damaged = [str(error)]
        if damaged:
            kept.pop(name, None)
            faults.append(
                f"{KEPT}/{name}: {damaged[0].partition(': mend')[0]}: {RELEASE.format(output, name)}"
            )
    return kept, faults


def _file_faults(output: str, state: State, kept: Mapping[str, State], there: Iterable[str]) -> Iterator[str]:
    """Files that no state names, where no build is at work."""
    named = shards_of(output, state) | tables_of(state) | {state_name(state.state)}
    named |= {f"{KEPT}/{name}.json" for name in kept}
    for other in kept.values():
        named |= tables_of(other) | {f"{KEPT}/{shard}" for shard in shards_of(output, other)}
    for name in there:
        if name not in named:
            yield f"{name}: no state names this file; a killed build left it: {AGAIN.format(output)}"


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
    with ExitStack() as stack:
        stream = _opened(stack, output, shard, kept=checker is None)
        if stream is None:
            yield "missing" if checker is None else f"missing: {AGAIN.format(output)}"
            return
        for fault in _faults_in(stream, layer, rows, checker):
            told = checker is None or "mend: " in fault
            yield fault if told else f"{fault}: {DELETE.format(output)}"


def _opened(stack: ExitStack, output: str, shard: str, kept: bool) -> IO[bytes] | None:
    """A shard of a kept state lies in its place, until it is moved."""
    for name in (shard, f"{KEPT}/{shard}") if kept else (shard,):
        with suppress(FileNotFoundError):
            return stack.enter_context(files.open_read(files.join(output, *name.split("/"))))
    return None


def _faults_in(
    stream: IO[bytes], layer: str, rows: list[tuple[Row, Row]], checker: SampleChecker | None
) -> Iterator[str]:
    rows.sort(key=lambda pair: int(pair[1]["offset"]))
    if [row["key"] for row, _ in rows] != sorted(row["key"] for row, _ in rows):
        yield "keys out of order"
    end = 0
    for row, extent in rows:
        if extent["offset"] != end:
            yield f"bytes {end} to {extent['offset']} belong to no sample"
        stream.seek(extent["offset"])
        data = stream.read(extent["size"])
        end = extent["offset"] + extent["size"]
        yield from (f"{row['key']}: {fault}" for fault in extent_faults(layer, row, extent, data, checker))
    stream.seek(end)
    if stream.read() != end_of_tar(end):
        yield "truncated, or more follows the last sample"


def extent_faults(
    layer: str, row: Row, extent: Row, data: bytes, checker: SampleChecker | None
) -> Iterator[str]:
    """Of one sample's bytes in one shard."""
    if hashlib.sha256(data).hexdigest() != extent["sha256"]:
        yield f"{len(data)} bytes differ from the index's digest"
    if checker is not None:
        yield from checker.faults(layer, row, data)
