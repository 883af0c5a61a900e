"""The corpus as a build found it, in the graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam

from pipelines.changes import REMOVED, other_columns
from pipelines.states.parts import Parts
from schemas.manifest import InputRow
from schemas.rows import Row
from schemas.state import IndexPart, LedgerPart, State

KeyedRow = tuple[str, Row]


class ReadCorpus(beam.PTransform):
    """-> {"index": (key, index row with its conversations), "ledger": (input, ledger row)}; both empty at the
    first build."""

    def __init__(self, output: str, state: State | None) -> None:
        super().__init__()
        self._parts = Parts(output)
        self._index: Sequence[IndexPart] = state.index if state else ()
        self._ledger: Sequence[LedgerPart] = state.ledger if state else ()

    def expand(self, root: Any) -> dict[str, beam.PCollection]:
        return {
            "index": root
            | "Index parts" >> beam.Create(list(self._index)).with_output_types(IndexPart)
            | "Spread index" >> beam.Reshuffle()
            | "Read index" >> beam.FlatMap(_index, self._parts).with_output_types(KeyedRow),
            "ledger": root
            | "Ledger parts" >> beam.Create(list(self._ledger)).with_output_types(LedgerPart)
            | "Spread ledger" >> beam.Reshuffle()
            | "Read ledger" >> beam.FlatMap(_ledger, self._parts).with_output_types(KeyedRow),
        }


def _index(part: IndexPart, parts: Parts) -> Iterator[KeyedRow]:
    yield from ((row["key"], row) for row in parts.index(part))


def _ledger(part: LedgerPart, parts: Parts) -> Iterator[KeyedRow]:
    yield from ((row["input"], row) for row in parts.ledger(part))


@beam.typehints.with_input_types(rows=InputRow, ledger=KeyedRow)
@beam.typehints.with_output_types(KeyedRow)
class OtherInputs(beam.PTransform):
    """(input, ledger row) of the inputs that this build does not name.

    Args:
        same: whether the corpus was made with this build's columns and options.
        leaving: inputs that it takes out.

    Raises (while the job runs):
        OtherColumnsError: there are such inputs, and the columns are not the same.
    """

    def __init__(self, output: str, same: bool, leaving: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self._output = output
        self._same = same
        self._leaving = leaving

    def expand(self, inputs: Mapping[str, beam.PCollection]) -> beam.PCollection:
        """`inputs`: {"rows": InputRow, "ledger": (input, row)}."""
        names = beam.Map(lambda row: (row.input, None)).with_output_types(tuple[str, None])
        return (
            {"rows": inputs["rows"] | "Input names" >> names, "ledger": inputs["ledger"]}
            | "By input" >> beam.CoGroupByKey()
            | "Not named"
            >> beam.FlatMap(_not_named, self._output, self._same, self._leaving).with_output_types(KeyedRow)
        )


def _not_named(
    element: tuple[str, Mapping[str, Iterable[Any]]], output: str, same: bool, leaving: frozenset[str]
) -> Iterator[KeyedRow]:
    name, joined = element
    if name in leaving or list(joined["rows"]):
        return
    for row in joined["ledger"]:
        if not same and row["status"] != REMOVED:
            raise other_columns(output, "inputs")
        yield name, row
