"""`favor-data duplicates OUT`: samples that are copies of others, in groups, as a Parquet table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from decoders.cores import cores
from pipelines.build import present_state
from pipelines.commands.look.nearest import Group, by_bits, by_features, groups
from pipelines.commands.of_corpus import parse_of_corpus
from pipelines.commands.parser import Parser
from pipelines.errors import UsageError
from pipelines.members import place_of, read_place
from pipelines.states.commit import undisturbed
from pipelines.states.parts import Parts
from schemas.corpus import Column
from schemas.media import Modality
from schemas.rows import Row
from schemas.selection.signals import loaded
from schemas.shard import npy_array, read_extent
from schemas.state import State
from storage import files

NAME = "duplicates.parquet"
BITS = 31  # of 256: PDQ's own bound for the same picture
COSINE = 0.9  # of pooled features, their mean taken out
TABLE = pa.schema(
    [
        pa.field("method", pa.string(), nullable=False),  # bytes | phash | a column's name
        pa.field("group", pa.int32(), nullable=False),  # counted from 0, a method at a time
        pa.field("key", pa.string(), nullable=False),
        pa.field("first", pa.bool_(), nullable=False),  # the one that is kept if the others go
        pa.field("alike", pa.float64(), nullable=False),  # 1: the same
    ]
)


def run(argv: Sequence[str]) -> int:
    """Exit status 0.

    Raises:
        UsageError: no corpus, or a column that it does not have.
        StorageError.
    """
    parser = Parser(
        prog="favor-data duplicates",
        description="Find copies: by their bytes, by a perceptual hash where the corpus has signals, and by "
        "the features of one column. Changes nothing but the table that it writes.",
    )
    parser.add_argument("corpus", metavar="OUT")
    parser.add_argument("--column", metavar="X", help="whose features to compare (the first of pictures)")
    parser.add_argument(
        "--cosine", type=float, default=COSINE, metavar="C", help="least of copies (%(default)s)"
    )
    parser.add_argument(
        "--bits", type=int, default=BITS, metavar="B", help="most of copies, of 256 (%(default)s)"
    )
    parser.add_argument("--output", metavar="TABLE", help=f"where to write the groups (OUT/{NAME})")
    arguments, output = parse_of_corpus(parser, argv)
    state, rows, found = undisturbed(
        output, lambda: _found(output, arguments.column, arguments.bits, arguments.cosine)
    )
    table = arguments.output or files.join(output, NAME)
    made = [row for method, of in found.items() for row in _table(method, of, rows)]
    buffer = BytesIO()
    pq.write_table(pa.Table.from_pylist(made, schema=TABLE), buffer, compression="zstd")
    files.put(files.absolute(table), buffer.getvalue(), output)
    for method, of in found.items():
        more = f" ({_named(state.columns[method])})" if method in state.columns else ""
        extra = sum(len(group.members) - 1 for group in of)
        print(f"  {method:<10}{extra} samples are copies, in {len(of)} groups{more}")
    print(f"{table}: {len(rows)} samples looked at")
    return 0


def _found(
    output: str, asked: str | None, bits: int, cosine: float
) -> tuple[State, list[Row], dict[str, list[Group]]]:
    """The groups by method, and what was looked at."""
    state = present_state(output)
    if state is None:
        raise UsageError(f"{output} holds no corpus: name the folder that build wrote")
    column = _column(state, asked)
    parts = Parts(output)
    rows = [row for part in state.index for row in parts.index(part)]
    found = {"bytes": _same_bytes(rows), "phash": _same_bits(rows, bits)}
    if column:
        found[column] = _same_features(output, rows, column, cosine)
    return state, rows, found


def _column(state: State, asked: str | None) -> str | None:
    """The column to compare: the one asked for, or the first of pictures."""
    if asked is not None:
        if asked not in state.columns:
            raise UsageError(f"--column {asked}: the corpus has {', '.join(sorted(state.columns)) or 'none'}")
        return asked
    seen = [name for name, column in sorted(state.columns.items()) if column.modality != Modality.AUDIO]
    return next(iter(seen or sorted(state.columns)), None)


def _named(column: Column) -> str:
    return f"{column.model}, weights {column.weights[:12]}{', UNTRAINED' if column.untrained else ''}"


def _same_bytes(rows: Sequence[Row]) -> list[Group]:
    """Samples of the same span of the same bytes, under other names."""
    first: dict[object, int] = {}
    pairs = []
    for number, row in enumerate(rows):
        what = (tuple(sorted(row["digests"].items(), key=str)), row["start_ns"], row["end_ns"])
        if (known := first.setdefault(what, number)) != number:
            pairs.append((known, number, 1.0))
    return groups(len(rows), pairs)


def _same_bits(rows: Sequence[Row], most: int) -> list[Group]:
    """By perceptual hashes: samples that have equally many."""
    every = (loaded(row["signals"]).get("phash") for row in rows)
    hashes = {number: one for number, one in enumerate(every) if one}
    made: list[Group] = []
    for length in sorted({len(one) for one in hashes.values()}):
        numbers = [number for number, one in hashes.items() if len(one) == length]
        bits = np.stack([np.frombuffer(bytes.fromhex(hashes[number]), np.uint8) for number in numbers])
        made += _renumbered(by_bits(bits.reshape(len(numbers), -1, 32), most), numbers)
    return made


def _same_features(output: str, rows: Sequence[Row], column: str, least: float) -> list[Group]:
    with ThreadPoolExecutor(cores()) as threads:
        pooled = enumerate(threads.map(lambda row: _pooled(output, row, column), rows))
        there = {number: one for number, one in pooled if one is not None}
    if not there:
        return []
    return _renumbered(by_features(np.stack(list(there.values())), least), list(there))


def _pooled(output: str, row: Row, column: str) -> npt.NDArray[np.float32] | None:
    """float32 [d]: the mean over tokens and the steps that are there; None: it lacks the column."""
    if all(feature["column"] != column for feature in row["features"]):
        return None
    held = next((layer for layer in row["columns"] if layer["column"] == column), row)
    array = npy_array(read_extent(read_place(output, place_of(held)))[f"{column}.npy"])
    flat = array.reshape(len(array), math.prod(array.shape[1:-1]), array.shape[-1]).astype(np.float32)
    there = flat.any(axis=(1, 2))
    return np.asarray(flat[there].mean(axis=(0, 1))) if there.any() else None


def _renumbered(found: Sequence[Group], numbers: Sequence[int]) -> list[Group]:
    return [Group(tuple(numbers[member] for member in group.members), group.alike) for group in found]


def _table(method: str, found: Sequence[Group], rows: Sequence[Row]) -> Iterator[Row]:
    for number, group in enumerate(found):
        for place, (member, alike) in enumerate(zip(group.members, group.alike, strict=True)):
            yield {
                "method": method,
                "group": number,
                "key": rows[member]["key"],
                "first": place == 0,
                "alike": alike,
            }
