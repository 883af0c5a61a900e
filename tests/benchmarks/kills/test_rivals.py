"""Two at once on one corpus, from random moments on: three rounds, fifty in the benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.kills.rivals import MEETINGS, Meeting, Ring, rounds
from benchmarks.kills.scenes import World
from benchmarks.kills.stores import Store, loopback

Meet = Callable[[Meeting], list[str]]


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Ring:
    return Ring.of(World(tmp_path_factory.mktemp("rivals") / "world"))


@pytest.fixture(scope="module")
def bucket() -> Iterator[Store]:
    with loopback() as server:
        yield server


@pytest.mark.parametrize("meet", MEETINGS, ids=lambda meet: meet.__name__)
def test_nothing_is_lost_on_a_disk(meet: Meet, ring: Ring, tmp_path: Path) -> None:
    assert not rounds(ring, [Store(str(tmp_path))], 2, 17, [meet])


@pytest.mark.parametrize("meet", MEETINGS, ids=lambda meet: meet.__name__)
def test_nothing_is_lost_on_an_object_store(meet: Meet, ring: Ring, bucket: Store) -> None:
    assert not rounds(ring, [bucket], 1, 23, [meet])
