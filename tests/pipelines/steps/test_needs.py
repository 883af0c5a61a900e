from collections.abc import Callable
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from pipelines.metrics.counters import CACHE_HITS, CACHE_MISSES, counted
from pipelines.metrics.progress import Progress
from pipelines.products import PLACEMENT, Products
from pipelines.steps.needs import FindNeeds
from pipelines.storage.cache import Cache

from .conftest import LAYERS, fresh, in_process

CASES: dict[str, tuple[dict[str, Any] | None, list[str], int, int]] = {
    "nothing is known": (None, [PLACEMENT, "clip"], 0, 2),
    "the features are missing": ({"features": False}, ["clip"], 1, 1),
    "everything is there": ({}, [], 2, 0),
    "the span has no frame": ({"rows": (-1, -1), "features": False}, [], 1, 0),
}


@pytest.mark.parametrize("case", CASES)
def test_only_what_the_cache_lacks_is_needed_and_both_are_counted(
    case: str, planned: Any, stored: Callable[..., None], cache: Cache, products: Products
) -> None:
    put, wanted, hits, misses = CASES[case]
    sample = planned("a")
    if put is not None:
        stored(sample, **put)
    pipeline = in_process()
    find = FindNeeds(products, cache, LAYERS, Progress(None))
    needs = pipeline | beam.Create([fresh(sample)]) | beam.ParDo(find)
    names = needs | beam.MapTuple(lambda sha, need: (sha, need.sample, [p.name for p in need.products]))
    assert_that(names, equal_to([("5" * 64, "a", wanted)] if wanted else []))
    result = pipeline.run()
    result.wait_until_finish()
    found = counted(result)
    assert (found.get(CACHE_HITS, 0), found.get(CACHE_MISSES, 0)) == (hits, misses)
