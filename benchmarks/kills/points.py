"""Every command that changes a corpus, killed between any two of its writes, and gone on from there.

    python -m benchmarks.kills.points --write docs/reliability.md

A command runs once, and the folder is copied before each of its writes: that is what SIGKILL leaves
there. Points that leave the same, but for unfinished files, are gone on from once, from the one with most of
those.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.kills.page import BEGIN, END, row, table
from benchmarks.kills.runs import Said, command, start
from benchmarks.kills.scenes import Scene, World, placed
from benchmarks.kills.writes import STAGING, watch
from benchmarks.lines import write_into
from benchmarks.progress import told

LEFT = (
    "no state names this file; a killed build left it",
    "parquet: describes state",
    "parquet: missing or damaged",
    "corpus.json: missing, damaged or of another state",
)


@dataclass(frozen=True)
class Point:
    """A moment of a command.

    Attributes:
        number: of the write that comes next, from 1.
        write: that write.
        folder: what a kill at this moment leaves.
    """

    scene: Scene
    number: int
    write: str
    folder: Path


@dataclass(frozen=True)
class Walk:
    """A command nobody disturbed: its points, and what it ends in."""

    points: list[Point]
    expected: dict[str, bytes]


def walk(scene: Scene, folder: Path) -> Walk:
    """Runs a scene's command and copies what lies there before each write."""
    scene.prepare()
    output, copies = folder / "out", folder / "copies"
    scene.set_up(output)
    said, writes = start(_copied, output, copies, scene.argv).end()
    assert said.status == 0, said.text
    points = [Point(scene, at, write, copies / str(at)) for at, write in enumerate(writes, 1)]
    return Walk(points, contents(output))


def _copied(output: Path, copies: Path, argv: tuple[str, ...]) -> tuple[Said, list[str]]:
    writes: list[str] = []

    def before(number: int, write: str) -> None:
        writes.append(write)
        shutil.copytree(output, copies / str(number))

    output.mkdir(parents=True, exist_ok=True)
    watch(output, before)
    return command(placed(argv, output)), writes


def kill(scene: Scene, number: int, output: Path) -> bool:
    """Runs the command until SIGKILL before its n-th write; whether there was one."""
    scene.set_up(output)
    started = start(_killed, output, scene.argv, number)
    return started.end() is None and started.process.exitcode == -signal.SIGKILL


def _killed(output: Path, argv: tuple[str, ...], at: int) -> Said:
    def before(number: int, write: str) -> None:
        if number == at:
            os.kill(os.getpid(), signal.SIGKILL)

    output.mkdir(parents=True, exist_ok=True)
    watch(output, before)
    return command(placed(argv, output))


def contents(output: Path) -> dict[str, bytes]:
    """Everything but the cache, the notes of builds, and salts with what they salt."""
    found = {}
    for path in output.rglob("*"):
        name = path.relative_to(output)
        if path.is_file() and name.parts[0] not in ("cache", "builds"):
            found[str(name)] = unsalted(path.read_bytes()) if name.parts[0] == "states" else path.read_bytes()
    return found


def unsalted(state: bytes) -> bytes:
    """A state but for what chance put into it."""
    said = json.loads(state)
    return json.dumps(said | {"salt": bool(said["salt"]), "tombstones": len(said["tombstones"])}).encode()


def distinct(points: Iterable[Point]) -> list[Point]:
    """One of those that leave the same but for unfinished files: the one with most of them."""
    found: dict[str, Point] = {}
    for point in points:
        left = _left(point)
        if left not in found or _unfinished(point) > _unfinished(found[left]):
            found[left] = point
    return list(found.values())


def _left(point: Point) -> str:
    digest = hashlib.sha256()
    for path in sorted(point.folder.rglob("*")):
        if path.is_file() and STAGING not in path.parts:
            digest.update(repr((str(path.relative_to(point.folder)), path.read_bytes())).encode())
    return digest.hexdigest()


def _unfinished(point: Point) -> int:
    return sum(path.stat().st_size + 1 for path in point.folder.rglob(f"{STAGING}/*"))


def line(done: Walk) -> str:
    """Its line of the table."""
    scene = done.points[0].scene
    after = " ".join(("favor-data", *scene.after)) if scene.after else ""
    return row(scene.name, [point.write for point in done.points], after)


def go_on(point: Point, expected: dict[str, bytes]) -> list[str]:
    """What is wrong after a kill at this point and the next command; nothing, if all is well."""
    scene = point.scene
    said = (*LEFT, scene.planted) if scene.planted else LEFT
    wrong: list[str] | None = start(_go_on, point.folder, scene.argv, scene.after, said).end()
    if wrong is None:
        return ["the next command died"]
    found = contents(point.folder)
    names = found.keys() | expected.keys()
    return wrong + [f"{name} differs" for name in sorted(names) if found.get(name) != expected.get(name)]


def _go_on(
    output: Path, argv: tuple[str, ...], after: tuple[str, ...], allowed: tuple[str, ...]
) -> list[str]:
    wrong = []
    if (output / "corpus.json").exists() or (output / "states").exists():
        said = command(["verify", str(output)])
        faults = said.text.splitlines()[:-1]
        wrong += [f"killed: {fault}" for fault in faults if not any(left in fault for left in allowed)]
    said = command(placed(argv, output))
    if said.status == 2 and after:
        said = command(placed(after, output))
    if said.status:
        wrong.append(f"exit {said.status}: {said.text[-2000:]}")
    said = command(["verify", str(output)])
    if said.status:
        wrong.append(f"verify: {said.text}")
    return wrong


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", nargs="*", default=[], help="parts of their names (all)")
    parser.add_argument("--one-in", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page")
    arguments = parser.parse_args()
    failed, points, on, rows = 0, 0, 0, []
    with tempfile.TemporaryDirectory(prefix="favor-data-points-") as temporary, ThreadPoolExecutor(3) as pool:
        world = World(Path(temporary) / "world")
        for number, scene in enumerate(world.scenes()):
            if arguments.scenes and not any(part in scene.name for part in arguments.scenes):
                continue
            done = walk(scene, Path(temporary) / str(number))
            chosen = distinct(done.points)[arguments.seed % arguments.one_in :: arguments.one_in]
            points, on = points + len(done.points), on + len(chosen)
            rows.append(line(done))
            print(f"== {scene.name}: {len(done.points)} points, {len(chosen)} gone on from", flush=True)
            ended = pool.map(partial(go_on, expected=done.expected), chosen)
            for point, wrong in zip(told(scene.name, chosen), ended, strict=True):
                failed += bool(wrong)
                if wrong:
                    print(f"{point.number} before {point.write}:", *wrong, sep="\n    ", flush=True)
    print(f"{points} points of {len(rows)} commands; gone on from {on}; {failed} ended otherwise")
    write_into(arguments.write, BEGIN, END, table(rows))
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
