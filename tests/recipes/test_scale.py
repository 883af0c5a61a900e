"""Memory does not grow with a set; the short form of `python -m benchmarks.recipes`."""

import pytest

from benchmarks.recipes.__main__ import MOST_SECONDS, run


@pytest.mark.parametrize("name", ["coco", "llava"])
def test_ten_times_the_records_in_the_same_memory(name: str) -> None:
    small, large = run(name, 2_000), run(name, 20_000)
    assert small.rows * 10 == large.rows
    assert large.memory < 1.1 * small.memory
    assert large.seconds / 20_000 * 100_000 < MOST_SECONDS
