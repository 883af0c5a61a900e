"""A fault at some of the places where it can happen; `python -m benchmarks.faults` goes to all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.faults.kinds import KINDS
from benchmarks.faults.trial import Trial, Undisturbed, run, undisturbed
from benchmarks.kills.scenes import Scene, World

# A fault that lasts, how far into the places where it can happen (0 to 1) it begins, and the exit status.
TRIALS = [
    ("disk full", 0.0, 3),
    ("disk full", 0.5, 3),
    ("EIO, reading media", 0.6, 3),
    ("the media's disk vanishes", 0.05, 3),
    ("the media's disk vanishes", 0.4, 3),
    ("the corpus's disk vanishes", 0.9, 3),
    ("CUDA, broken", 1.0, 3),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("faults") / "world")


@pytest.fixture(scope="module")
def first(world: World) -> tuple[Scene, Undisturbed]:
    scene = Scene("first build", None, world.build())
    return scene, undisturbed(scene, world.folder / "undisturbed", world.folder / "media")


@pytest.mark.parametrize(("name", "where", "status"), TRIALS)
def test_with_the_fault_gone_the_same_command_ends_in_the_same_bytes(
    name: str,
    where: float,
    status: int,
    world: World,
    first: tuple[Scene, Undisturbed],
    tmp_path: Path,
) -> None:
    scene, done = first
    (kind,) = (kind for kind in KINDS if kind.name == name)
    number = max(1, round(where * len(done.places[name])))
    ended, wrong = run(Trial(scene, kind, number, for_good=True), done, tmp_path, world.folder / "media")
    assert wrong == []
    assert ended == status
