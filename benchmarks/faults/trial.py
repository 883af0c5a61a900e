"""One command, one fault at one place, and the same command again when the fault is gone."""

from __future__ import annotations

import re
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.faults.kinds import KINDS, Folders, Kind
from benchmarks.faults.places import Place, watch
from benchmarks.kills.points import contents
from benchmarks.kills.runs import Said, command, start
from benchmarks.kills.scenes import Scene, placed

_PROGRESS = re.compile(r"favor-data: (looking at|decoding;|encoding|storage|again in|trying)")
_SAID = 3


@dataclass(frozen=True)
class Trial:
    """A fault at the n-th place where it can happen, from 1; once, or from there on."""

    scene: Scene
    kind: Kind
    number: int
    for_good: bool


@dataclass(frozen=True)
class Undisturbed:
    """A command that nobody disturbed: its places of each kind of fault, and what it ends in."""

    places: dict[str, list[Place]]
    expected: dict[str, bytes]


def undisturbed(scene: Scene, folder: Path, media: Path) -> Undisturbed:
    """Runs the scene's command and counts."""
    scene.prepare()
    output = folder / "out"
    scene.set_up(output)
    said, places = start(_counted, Folders(output, media), scene.argv).end()
    assert said.status == 0, said.text
    return Undisturbed(places, contents(output))


def _counted(folders: Folders, argv: tuple[str, ...]) -> tuple[Said, dict[str, list[Place]]]:
    found: dict[str, list[Place]] = {kind.name: [] for kind in KINDS}
    lock = threading.Lock()

    def at(place: Place) -> None:
        with lock:
            for kind in KINDS:
                if kind.can_happen(place, folders):
                    found[kind.name].append(place)

    folders.output.mkdir(parents=True, exist_ok=True)
    watch(at)
    return command(placed(argv, folders.output)), found


def run(trial: Trial, done: Undisturbed, folder: Path, media: Path) -> tuple[int | None, list[str]]:
    """The exit status under the fault, and what is wrong then, or after the same command without it.

    Args:
        media: a copy that the trial may spoil; put back afterwards.
    """
    output = folder / "out"
    trial.scene.set_up(output)
    before = _states(output)
    folders = Folders(output, media)
    said = start(_struck, folders, trial.scene.argv, trial.kind.name, trial.number, trial.for_good).end()
    for place in (output, media):
        if (away := place.with_name(f"{place.name}.away")).exists():
            shutil.rmtree(place)
            away.rename(place)
    if said is None:
        return None, ["the command died"]
    wrong = of_the_exit(said)
    if _states(output) - before - {name for name in done.expected if name.startswith("states/")}:
        wrong.append("a state that nobody asked for")
    if (ledger := output / "ledger.parquet").exists():
        wrong += rejected(ledger.read_bytes())
    if said.status == 0 and contents(output) == done.expected:
        return 0, wrong
    again = start(command, placed(trial.scene.argv, output)).end()
    if again.status == 2 and trial.scene.after:
        again = start(command, placed(trial.scene.after, output)).end()
    if again.status:
        wrong.append(f"afterwards: exit {again.status}: {again.text[-2000:]}")
    found = contents(output)
    names = sorted(found.keys() | done.expected.keys())
    wrong += [f"{name} differs" for name in names if found.get(name) != done.expected.get(name)]
    checked = start(command, ["verify", str(output)]).end()
    if checked.status:
        wrong.append(f"verify: {checked.text}")
    return said.status, wrong


def _struck(folders: Folders, argv: tuple[str, ...], name: str, number: int, for_good: bool) -> Said:
    from decoders.processes import pool

    (kind,) = (kind for kind in KINDS if kind.name == name)
    count, lock = 0, threading.Lock()

    def at(place: Place) -> None:
        nonlocal count
        if not kind.can_happen(place, folders):
            return
        with lock:
            count += 1
            strikes = count >= number if for_good else count == number
        if strikes:
            kind.strike(folders)

    pool.PAUSES_S = (0.0, 0.01, 0.02)
    folders.output.mkdir(parents=True, exist_ok=True)
    watch(at)
    return command(placed(argv, folders.output))


def of_the_exit(said: Said) -> list[str]:
    """0 and nothing to be seen, or 3 and one line."""
    if said.status not in (0, _SAID):
        return [f"exit {said.status}: {said.text[-3000:]}"]
    if "Traceback" in said.text:
        return [f"a traceback, exit {said.status}: {said.text[-3000:]}"]
    lines = [line for line in said.text.splitlines() if line.startswith("favor-data:")]
    lines = [line for line in lines if not _PROGRESS.match(line)]
    if said.status == _SAID and len(lines) != 1:
        return [f"{len(lines)} lines: {said.text[-2000:]}"]
    return []


def _states(output: Path) -> set[str]:
    return {f"states/{path.name}" for path in output.glob("states/*")}


def rejected(ledger: bytes) -> list[str]:
    """The inputs that a ledger lays something to."""
    rows = pq.read_table(pa.BufferReader(ledger)).to_pylist()
    rows = [row for row in rows if row["status"] == "rejected"]
    return [f"{row['input']}: {row['reason']}: {row['detail']}" for row in rows]
