"""A build into a corpus that exists: what stands, what is new, what must move."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import pyarrow as pa

from pipelines.changes import check_same_columns
from pipelines.products import Products
from pipelines.records import PlannedSample, Row
from pipelines.steps.plan import merge
from schemas.corpus import INDEX_NAME, LEDGER_NAME
from schemas.manifest import InputRow
from schemas.tables import INDEX, LEDGER, read_rows
from storage import files

FRESH = "fresh"
STANDING = "standing"
LEAVING = "leaving"
KeyedRow = tuple[str, Row]
Standing = tuple[Row, tuple[str, ...]]


class ReadCorpus(beam.PTransform):
    """-> (key, index row) and (input, ledger row) of the corpus as it is; both empty at the first build."""

    def __init__(self, output: str) -> None:
        super().__init__()
        self._output = output

    def expand(self, root: Any) -> dict[str, beam.PCollection]:
        def rows(name: str, column: str, schema: pa.Schema) -> beam.PCollection:
            return (
                root
                | f"Name {name}" >> beam.Create([files.join(self._output, name)])
                | f"Read {name}" >> beam.FlatMap(_rows, schema).with_output_types(Row)
                | f"Key {name}" >> beam.Map(lambda row: (row[column], row)).with_output_types(KeyedRow)
            )

        return {"index": rows(INDEX_NAME, "key", INDEX), "ledger": rows(LEDGER_NAME, "input", LEDGER)}


def _rows(path: str, schema: pa.Schema) -> list[Row]:
    if not files.exists(path):
        return []
    with files.open_read(path) as stream:
        return read_rows(stream, schema)


@beam.typehints.with_input_types(samples=PlannedSample, index=KeyedRow, others=KeyedRow)
class CompareWithCorpus(beam.PTransform):
    """-> FRESH: PlannedSample to build; STANDING: (index row, inputs of this build) that stays a part of the
    corpus; LEAVING: name of a shard that holds a sample which does not.

    A standing sample is one that this build would make again from the same content, or one of an input
    that this build does not name. The others (edited, dropped, annotated anew) leave their shards.
    """

    def __init__(self, products: Products) -> None:
        super().__init__()
        self._made = products.names()

    def expand(self, inputs: Mapping[str, beam.PCollection]) -> beam.pvalue.DoOutputsTuple:
        """`inputs`: {"samples": PlannedSample, "index": (key, row), "others": (input, ledger row)}."""
        keyed = beam.Map(lambda sample: (sample.key, sample))
        claims = beam.FlatMap(lambda pair: [(key, pair[0]) for key in pair[1]["keys"]])
        by_key = {
            "samples": inputs["samples"]
            | "Sample keys" >> keyed.with_output_types(tuple[str, PlannedSample]),
            "index": inputs["index"],
            "claims": inputs["others"] | "Claims" >> claims.with_output_types(tuple[str, str]),
        }
        return (
            by_key
            | "By key" >> beam.CoGroupByKey()
            | "Compare"
            >> beam.FlatMap(_compare, self._made)
            .with_output_types(
                PlannedSample | Standing | str, fresh=PlannedSample, standing=Standing, leaving=str
            )
            .with_outputs(FRESH, STANDING, LEAVING)
        )


def _compare(element: tuple[str, Mapping[str, Iterable[Any]]], made: list[str]) -> Iterator[Any]:
    joined = {name: list(values) for name, values in element[1].items()}
    sample = merge(joined["samples"]) if joined["samples"] else None
    for row in joined["index"]:
        if sample and row["content"] == sample.content(made):
            yield beam.pvalue.TaggedOutput(STANDING, (row, sample.inputs))
            return
        if not sample and joined["claims"]:
            yield beam.pvalue.TaggedOutput(STANDING, (row, ()))
        else:
            yield beam.pvalue.TaggedOutput(LEAVING, row["shard"])
    if sample:
        yield beam.pvalue.TaggedOutput(FRESH, sample)


@beam.typehints.with_input_types(rows=InputRow, ledger=KeyedRow)
@beam.typehints.with_output_types(KeyedRow)
class OtherInputs(beam.PTransform):
    """(input, ledger row) of the inputs that this build does not name.

    A corpus that has some must have been made with the same columns: the job fails where it was not.
    """

    def __init__(self, output: str, products: Products) -> None:
        super().__init__()
        self._not_named = _NotNamed(output, products)

    def expand(self, inputs: Mapping[str, beam.PCollection]) -> beam.PCollection:
        """`inputs`: {"rows": InputRow, "ledger": (input, row)}."""
        names = beam.Map(lambda row: (row.input, None)).with_output_types(tuple[str, None])
        return (
            {"rows": inputs["rows"] | "Input names" >> names, "ledger": inputs["ledger"]}
            | "By input" >> beam.CoGroupByKey()
            | "Not named" >> beam.ParDo(self._not_named)
        )


@beam.typehints.with_output_types(KeyedRow)
class _NotNamed(beam.DoFn):
    """A launcher says so before the job begins; rows out of somebody's pipeline are known only here."""

    def __init__(self, output: str, products: Products) -> None:
        self._output = output
        self._products = products

    def setup(self) -> None:
        self._checked = False

    def process(self, element: tuple[str, Mapping[str, Iterable[Any]]]) -> Iterator[KeyedRow]:
        name, joined = element
        if list(joined["rows"]):
            return
        for row in joined["ledger"]:
            if not self._checked:
                check_same_columns(self._output, self._products, [name])
                self._checked = True
            yield name, row
