"""A build killed with SIGKILL, its whole process group, at random moments, and resumed each time.

    python -m benchmarks.kills --kills 30

Every build is killed until a run of it ends by itself, and then compared, byte for byte, with one that nobody
disturbed; counts what was computed twice.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.growth import command, make_clips
from benchmarks.progress import say

START_S = 4.0  # interpreter and imports, in which there is nothing to lose


def start(folder: Path, output: Path) -> subprocess.Popen[bytes]:
    """A build in a process group of its own."""
    models = ["--clip", "random:vit-b-32", "--whisper", "none", "--shard-size", "2MB"]
    return subprocess.Popen(
        command(folder, output, *models),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def contents(output: Path) -> dict[str, bytes]:
    """Everything but the cache, and corpus.json, which holds the time of day."""
    return {
        str(path.relative_to(output)): path.read_bytes()
        for path in output.rglob("*")
        if path.is_file() and "cache" not in path.relative_to(output).parts and path.name != "corpus.json"
    }


def kill_until_done(folder: Path, output: Path, length: float, chance: random.Random) -> tuple[int, int]:
    """Kills a build at random moments until one run ends by itself: kills, cache entries written twice."""
    first_written: dict[Path, int] = {}
    for kills in itertools.count():
        build = start(folder, output)
        try:
            assert build.wait(START_S + chance.random() * max(1.0, length - START_S)) == 0
            twice = sum(path.stat().st_mtime_ns != written for path, written in first_written.items())
            return kills, twice
        except subprocess.TimeoutExpired:
            os.killpg(build.pid, signal.SIGKILL)
            build.wait()
        for path in output.glob("cache/??/*"):
            first_written.setdefault(path, path.stat().st_mtime_ns)
    raise AssertionError


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    kills = twice = rounds = different = left = 0
    with tempfile.TemporaryDirectory(prefix="favor-data-kills-") as temporary:
        folder, whole = Path(temporary) / "in", Path(temporary) / "whole"
        folder.mkdir()
        make_clips(folder, 0, arguments.clips, seconds=1.5)
        say("a build that nobody disturbs")
        began = time.perf_counter()
        assert start(folder, whole).wait() == 0
        length = time.perf_counter() - began
        expected = contents(whole)
        while kills < arguments.kills:
            say(f"{kills} of {arguments.kills} kills")
            output = Path(temporary) / f"round{rounds}"
            these, computed_twice = kill_until_done(folder, output, length, chance)
            rounds, kills, twice = rounds + 1, kills + these, twice + computed_twice
            different += contents(output) != expected
            left += sum(".tmp" in path.parts for path in output.rglob("*"))
            shutil.rmtree(output)
    print(f"{kills} kills in {rounds} builds; an undisturbed one took {length:.1f} s")
    print(f"corpora that differ: {different}; computed twice: {twice}; temporary files left: {left}")
    sys.exit(bool(different or twice or left))


if __name__ == "__main__":
    main()
