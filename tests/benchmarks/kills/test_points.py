"""Killed between two of its writes, a command is gone on from: some of the points, all in the benchmark."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from benchmarks.kills.points import Walk, contents, distinct, go_on, kill, walk
from benchmarks.kills.scenes import World

ONE_IN, SEED = 14, 5


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Walk, list[list[str]]]]:
    """Each command undisturbed, and what was wrong after each point that was chosen."""
    folder = tmp_path_factory.mktemp("points")
    found, number = [], SEED
    with ThreadPoolExecutor(2) as pool:
        for scene in World(folder / "world").scenes():
            done = walk(scene, folder / scene.name)
            points = distinct(done.points)
            chosen = [point for at, point in enumerate(points, number) if at % ONE_IN == 0]
            number += len(points)
            found.append((done, list(pool.map(partial(go_on, expected=done.expected), chosen))))
    return found


def test_the_next_command_ends_in_the_same_bytes(walks: list[tuple[Walk, list[list[str]]]]) -> None:
    assert not {walk.points[0].scene.name: faults for walk, faults in walks if any(faults)}
    assert sum(len(faults) for _, faults in walks) >= 12


def test_a_real_kill_leaves_what_the_walk_shows(
    walks: list[tuple[Walk, list[list[str]]]], tmp_path: Path
) -> None:
    """Of a pack: its points are of one thread, and their order is always the same."""
    [done] = [walk for walk, _ in walks if walk.points[0].scene.name.startswith("pack")]
    point = done.points[len(done.points) // 2]
    assert kill(point.scene, point.number, tmp_path / "out")
    left = {name: data for name, data in contents(tmp_path / "out").items() if ".tmp" not in name}
    untouched = walk(point.scene, tmp_path / "again").points[point.number - 1]
    assert left == {name: data for name, data in contents(untouched.folder).items() if ".tmp" not in name}
