"""Every fault at every place of every command, one by one or at random; docs/reliability.md has the outcome.

    python -m benchmarks.faults --one-in 20 --seed 1

A command has to end with 0 and the bytes of one that nobody disturbed, or with 3 and one line, nothing
settled; with the fault gone the same command ends in those bytes. No input is rejected: none is at fault.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.faults.kinds import KINDS
from benchmarks.faults.trial import Trial, Undisturbed, run, undisturbed
from benchmarks.kills.scenes import Scene, World
from benchmarks.progress import told

MOST_SHOWN = 1500  # of what is wrong, in characters


def trials(scene: Scene, done: Undisturbed, kinds: list[str]) -> Iterator[Trial]:
    """All of a scene."""
    for kind in KINDS:
        if kinds and not any(part in kind.name for part in kinds):
            continue
        for number in range(kind.begins, 1 + len(done.places[kind.name])):
            for for_good in kind.for_good:
                yield Trial(scene, kind, number, for_good)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", nargs="*", default=[], help="parts of their names (all)")
    parser.add_argument("--kinds", nargs="*", default=[], help="parts of the faults' names (all)")
    parser.add_argument("--one-in", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    ended: Counter[tuple[str, int | None]] = Counter()
    places: Counter[str] = Counter()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="favor-data-faults-") as temporary:
        world = World(Path(temporary) / "world")
        for order, scene in enumerate(world.scenes()):
            if arguments.scenes and not any(part in scene.name for part in arguments.scenes):
                continue
            done = undisturbed(scene, Path(temporary) / f"undisturbed{order}", world.folder / "media")
            every = list(trials(scene, done, arguments.kinds))
            chance = random.Random(f"{arguments.seed} {scene.name}")
            chosen = (
                every if arguments.one_in == 1 else chance.sample(every, -(-len(every) // arguments.one_in))
            )
            print(f"== {scene.name}: {len(every)} faults at places, {len(chosen)} of them made", flush=True)
            for kind, found in done.places.items():
                places[kind] += len(found)
            for trial in told(scene.name, chosen, lambda trial: trial.kind.name):
                folder = Path(temporary) / "trial"
                status, wrong = run(trial, done, folder, world.folder / "media")
                ended[trial.kind.name, status] += 1
                failed += bool(wrong)
                if wrong:
                    place = done.places[trial.kind.name][trial.number - 1]
                    how = "from here on" if trial.for_good else "once"
                    shown = "\n    ".join(wrong)[-MOST_SHOWN:]
                    print(f"{trial.kind.name}, {how}, {trial.number}: {place}\n    {shown}", flush=True)
                shutil.rmtree(folder)
    print("\n| fault | places | made | ended 0 | ended 3 |\n|---|---:|---:|---:|---:|")
    for name in (kind.name for kind in KINDS):
        made = sum(count for (of, _), count in ended.items() if of == name)
        print(f"| {name} | {places[name]} | {made} | {ended[name, 0]} | {ended[name, 3]} |")
    print(f"{failed} of {sum(ended.values())} otherwise")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
