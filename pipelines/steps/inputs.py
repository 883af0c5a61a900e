"""The inputs' way into the job: a file in the output's staging area, so that the graph stays small however
many they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import apache_beam as beam
from pydantic import TypeAdapter

from schemas.manifest import InputRow
from storage import files

PIECE_BYTES = 1 << 20
_ROW = TypeAdapter(InputRow)
Piece = tuple[str, int]


@contextmanager
def staged(rows: Iterable[InputRow], path: str, told: Callable[[], bytes] | None = None) -> Iterator[None]:
    """While the block runs, `path` holds the rows: JSON, one a line; beside it lies what `told` says."""
    with files.scratch(path, (_ROW.dump_json(row) + b"\n" for row in rows), told):
        yield


@beam.typehints.with_output_types(InputRow)
class ReadInputs(beam.PTransform):
    """-> InputRow. A long file is read in pieces, among the workers."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def expand(self, root: beam.Pipeline) -> beam.PCollection:
        return (
            root
            | "Staged inputs" >> beam.Create([self._path])
            | "Pieces" >> beam.FlatMap(_pieces).with_output_types(Piece)
            | "Spread pieces" >> beam.Reshuffle()
            | "Lines" >> beam.FlatMap(_lines).with_output_types(bytes)
            | "Parse" >> beam.Map(_ROW.validate_json).with_output_types(InputRow)
        )


def _pieces(path: str) -> list[Piece]:
    return [(path, offset) for offset in range(0, files.entry(path).size, PIECE_BYTES)]


def _lines(piece: Piece) -> list[bytes]:
    """The lines that begin in the piece."""
    path, offset = piece
    begin = max(0, offset - 1)  # whether a line begins with the piece, the byte before it tells
    content = files.read_range(path, begin, offset + PIECE_BYTES - begin)
    while not content.endswith(b"\n"):  # the last one goes on
        more = files.read_range(path, begin + len(content), PIECE_BYTES)
        content += more[: more.find(b"\n") + 1] or more
    lines = content.split(b"\n")[:-1]
    return lines[1:] if offset else lines
