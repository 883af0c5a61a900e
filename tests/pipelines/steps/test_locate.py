from collections.abc import Callable
from typing import Any

import apache_beam as beam
from apache_beam.testing.util import assert_that, equal_to

from pipelines.products import Products
from pipelines.records import Fresh
from pipelines.steps.corpus import KeyedRow
from pipelines.steps.locate import Locate

from .conftest import LAYERS, fresh, in_process


def located(products: Products, samples: list[Any], rows: list[Any], missing: frozenset[str]) -> Any:
    """(sample, names of what lies in a shard, the shards), for each sample."""
    pipeline = in_process()
    found = {
        "fresh": pipeline | "Fresh" >> beam.Create([fresh(one) for one in samples]).with_output_types(Fresh),
        "index": pipeline
        | "Index" >> beam.Create([(row["key"], row) for row in rows]).with_output_types(KeyedRow),
    } | Locate(products, products, LAYERS, missing)
    told = found | beam.Map(
        lambda one: (
            one.sample.key,
            sorted(lying.group for lying in one.lying.values()),
            sorted({lying.place.shard for lying in one.lying.values()}),
        )
    )
    return pipeline, told


def test_a_sample_of_the_same_bytes_finds_what_a_shard_holds(
    planned: Callable[..., Any], index_row: Callable[..., Any], products: Products
) -> None:
    """Another name of the same file and span; another span has nothing."""
    pipeline, told = located(
        products, [planned("new"), planned("later", 7)], [index_row(planned("old"))], frozenset()
    )
    expected = [("new", ["clip.npy", "json"], ["shards/000000.tar"]), ("later", [], [])]
    assert_that(told, equal_to(expected))
    pipeline.run().wait_until_finish()


def test_a_shard_that_is_missing_holds_nothing(
    planned: Callable[..., Any], index_row: Callable[..., Any], products: Products
) -> None:
    row = index_row(planned("old"))
    pipeline, told = located(products, [planned("new")], [row], frozenset([row["shard"]]))
    assert_that(told, equal_to([("new", [], [])]))
    pipeline.run().wait_until_finish()
