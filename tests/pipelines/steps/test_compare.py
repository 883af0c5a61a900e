from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.testing.util import assert_that, equal_to

from pipelines.products import Products
from pipelines.records import PlannedSample
from pipelines.steps.compare import FRESH, LEAVING, STANDING, CompareWithCorpus, OtherInputs, ReadCorpus
from schemas.manifest import InputRow
from schemas.tables import LEDGER, table_bytes

from .conftest import in_process

Planned = Callable[..., PlannedSample]


def ledger_row(name: str, *keys: str) -> dict[str, Any]:
    return {
        "input": name,
        "id": name,
        "uris": [name],
        "signature": "s",
        "status": "done",
        "stage": None,
        "reason": None,
        "detail": None,
        "keys": list(keys),
    }


def test_a_corpus_is_read_as_it_is_and_none_is_empty(tmp_path: Path) -> None:
    row = ledger_row("/a.mp4", "a")
    (tmp_path / "ledger.parquet").write_bytes(table_bytes([row], LEDGER))
    with in_process() as pipeline:
        found = pipeline | ReadCorpus(str(tmp_path))
        assert_that(found["ledger"], equal_to([("/a.mp4", row)]), label="ledger")
        assert_that(found["index"], equal_to([]), label="index")


def test_what_is_equal_stands_and_what_is_edited_or_dropped_leaves(
    planned: Planned, products: Products
) -> None:
    same, edited, new = planned("same"), planned("edited", metadata={"n": 2}), planned("new")
    made = products.names()

    def row(sample: PlannedSample, shard: str) -> tuple[str, dict[str, Any]]:
        return sample.key, {"key": sample.key, "content": sample.content(made), "shard": shard}

    rows = [
        row(same, "shards/000000.tar"),
        row(planned("edited", metadata={"n": 1}), "shards/000001.tar"),
        row(planned("dropped"), "shards/000002.tar"),
        row(planned("anothers"), "shards/000003.tar"),
    ]
    with in_process() as pipeline:
        compared = {
            "samples": pipeline | "Samples" >> beam.Create([same, edited, new]),
            "index": pipeline | "Index" >> beam.Create(rows),
            "others": pipeline | "Others" >> beam.Create([("other", ledger_row("other", "anothers"))]),
        } | CompareWithCorpus(products)
        assert_that(compared[FRESH], equal_to([edited, new]), label="fresh")
        standing = [(rows[0][1], same.inputs), (rows[3][1], ())]
        assert_that(compared[STANDING], equal_to(standing), label="standing")
        leaving = ["shards/000001.tar", "shards/000002.tar"]
        assert_that(compared[LEAVING], equal_to(leaving), label="leaving")


def test_other_inputs_are_those_that_this_build_does_not_name(tmp_path: Path, products: Products) -> None:
    ledger = [(name, ledger_row(name)) for name in ("named", "other")]
    with in_process() as pipeline:
        others = {
            "rows": pipeline | "Rows" >> beam.Create([InputRow(input="named", id="x", media="named")]),
            "ledger": pipeline | "Ledger" >> beam.Create(ledger),
        } | OtherInputs(str(tmp_path), products)
        assert_that(others, equal_to([ledger[1]]))
