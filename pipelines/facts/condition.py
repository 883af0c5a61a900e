"""`--where`: which samples a build writes, by what their index rows would say."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import pyarrow as pa

from pipelines.errors import UsageError
from schemas.manifest import InputRow
from schemas.rows import INDEX, Row, Wide, joined_kind, metadata_kinds
from schemas.selection.where import Where, WhereError
from schemas.state import IndexPart
from signals.registry import registered
from signals.signal import Kind

PASSED, FILTERED = "passed", "filtered"
_BATCH = 500  # samples that are judged at once
_KINDS = {Kind.NUMBER: "double", Kind.TIMES: "doubles", Kind.TEXT: "string"}
# What is known before a sample is written: not where it will lie.
_PLACED = {"shard", "offset", "size", "sha256", "content", "columns", "features", "members", "record", "head"}


@dataclass(frozen=True)
class Condition:
    """The condition, and the columns that it may name."""

    text: str
    wide: Wide

    def passed(self, rows: Sequence[Row]) -> list[bool]:
        """Of rows of the index, as far as they are known; NULL does not pass.

        Raises:
            WhereError: a value that the condition fails on.
        """
        schema = pa.schema([field.with_nullable(True) for field in INDEX if field.name not in _PLACED])
        known = [{name: row.get(name) for name in schema.names} for row in rows]
        table = self.wide.widened(pa.Table.from_pylist(known, schema=schema))
        found: list[bool] = Where(self.text).passed(table).mask.tolist()
        return found


def condition(
    text: str, rows: Iterable[InputRow], parts: Iterable[IndexPart], measured: Collection[str]
) -> Condition:
    """Of a build of these rows into a corpus of these parts, which measures these signals.

    Raises:
        UsageError: no condition, or one that names a column that there will not be.
    """
    before = Wide.of(parts)
    metadata = metadata_kinds({"metadata": json.dumps(row.metadata, default=str)} for row in rows)
    for name, kind in before.metadata.items():
        metadata[name] = joined_kind(metadata.get(name, kind), kind)
    signals = {one.name: _KINDS[one.kind] for one in registered() if one.name in measured}
    made = Condition(text, Wide(dict(sorted(metadata.items())), dict(sorted(signals.items()))))
    try:
        made.passed([])
    except WhereError as error:
        hint = "" if measured else " (signals are columns with --signals)"
        raise UsageError(f"--where {error}{hint}") from error
    return made


class Passing(beam.PTransform):
    """Elements -> PASSED, FILTERED: by the index row that `row_of` makes of each; None: not judged."""

    def __init__(self, condition: Condition, row_of: Callable[[Any], Row | None], kind: Any) -> None:
        super().__init__()
        self._judge = beam.FlatMap(_judged, condition, row_of)
        self._kind = kind

    def expand(self, elements: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        return (
            elements
            | "Batch"
            >> beam.BatchElements(min_batch_size=1, max_batch_size=_BATCH).with_output_types(
                _list_of(self._kind)
            )
            | "Judge"
            >> self._judge.with_output_types(self._kind, passed=self._kind, filtered=self._kind).with_outputs(
                PASSED, FILTERED
            )
        )


def _list_of(kind: Any) -> Any:
    return beam.typehints.List[kind]


def _judged(
    elements: list[Any], condition: Condition, row_of: Callable[[Any], Row | None]
) -> Iterator[beam.pvalue.TaggedOutput]:
    rows = [row_of(element) for element in elements]
    passed = iter(condition.passed([row for row in rows if row is not None]))
    for element, row in zip(elements, rows, strict=True):
        yield beam.pvalue.TaggedOutput(PASSED if row is None or next(passed) else FILTERED, element)
