"""`--where` in the graph: what passes, and what the ledger calls filtered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam

from pipelines.facts.condition import Condition
from schemas.rows import Row

PASSED, FILTERED = "passed", "filtered"
_BATCH = 500  # samples that are judged at once


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
