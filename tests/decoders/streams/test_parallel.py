"""Sources in threads of their own, merged in a known order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from decoders.streams.parallel import AHEAD, merge


def count(name: str, until: int, ended: list[str]) -> Iterator[str]:
    try:
        for number in range(until):
            yield f"{name}{number}"
    finally:
        ended.append(name)


def test_items_come_in_the_order_of_their_owners() -> None:
    ended: list[str] = []
    owners = [0] * 3 * AHEAD + [1] * 3 * AHEAD + [0, 1, 1]
    found = list(merge(owners, [partial(count, "a", 1000, ended), partial(count, "b", 1000, ended)]))
    first = [f"a{number}" for number in range(3 * AHEAD)]
    second = [f"b{number}" for number in range(3 * AHEAD)]
    assert found == [*first, *second, f"a{3 * AHEAD}", f"b{3 * AHEAD}", f"b{3 * AHEAD + 1}"]
    assert sorted(ended) == ["a", "b"]


def test_whoever_stops_early_leaves_no_thread() -> None:
    ended: list[str] = []
    before = threading.active_count()
    merged = merge([0, 1] * 1000, [partial(count, "a", 1000, ended), partial(count, "b", 1000, ended)])
    assert next(merged) == "a0"
    merged.close()
    assert threading.active_count() == before
    assert sorted(ended) == ["a", "b"]


def test_an_error_comes_in_its_turn() -> None:
    def fail() -> Iterator[str]:
        yield "b0"
        raise ArithmeticError

    ended: list[str] = []
    merged: Iterator[str] = merge([0, 0, 1, 0, 1, 0], [partial(count, "a", 1000, ended), fail])
    assert [next(merged) for _ in range(4)] == ["a0", "a1", "b0", "a2"]
    with pytest.raises(ArithmeticError):
        next(merged)
    assert ended == ["a"]


def test_a_source_that_ends_too_early_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="too early"):
        list(merge([0, 0], [partial(count, "a", 1, [])]))
