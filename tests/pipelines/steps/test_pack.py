import random

import apache_beam as beam
from apache_beam.testing.util import assert_that

from pipelines.steps.pack import PackShards, Slices

from .conftest import in_process

ITEMS = [("jpg+npy", f"p{n}", 40) for n in range(5)] + [
    ("npy", "large", 900),
    ("npy", "a", 10),
    ("npy", "b", 10),
]


def identity(item):
    return item


def seven() -> int:
    return 7


def test_shards_follow_from_keys_kinds_and_sizes_alone() -> None:
    def shards(found) -> None:
        packed = {number: sorted(key for _, key, _ in items) for number, items in found}
        assert packed == {7: ["p0", "p1"], 8: ["p2", "p3"], 9: ["p4"], 10: ["a", "b"], 11: ["large"]}

    for seed in range(2):
        shuffled = random.Random(seed).sample(
            [(key, (group, key, size)) for group, key, size in ITEMS], len(ITEMS)
        )
        with in_process() as pipeline:
            assert_that(pipeline | beam.Create(shuffled) | PackShards(Slices(identity, seven), 100), shards)
