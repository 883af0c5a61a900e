"""A build killed with SIGKILL, its whole process group, at random moments, and resumed each time.

    python -m benchmarks.kills --kills 30

Ends with a comparison, byte for byte, with a build that nobody disturbed, and counts what was computed twice.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.growth import make_clips

START_S = 4.0  # interpreter and imports, in which there is nothing to lose


def start(folder: Path, output: Path) -> subprocess.Popen[bytes]:
    """A build in a process group of its own."""
    command = [sys.executable, "-m", "pipelines.command", "build", str(folder), "--output", str(output)]
    command += ["--clip", "random:vit-b-32", "--whisper", "none", "--shard-size", "2MB"]
    return subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def contents(output: Path) -> dict[str, bytes]:
    """Everything but the cache, and corpus.json, which holds the time of day."""
    return {
        str(path.relative_to(output)): path.read_bytes()
        for path in output.rglob("*")
        if path.is_file() and "cache" not in path.relative_to(output).parts and path.name != "corpus.json"
    }


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
    with tempfile.TemporaryDirectory(prefix="favor-data-kills-") as temporary:
        folder, whole, killed = (Path(temporary) / name for name in ("in", "whole", "killed"))
        folder.mkdir()
        make_clips(folder, 0, arguments.clips)
        began = time.perf_counter()
        assert start(folder, whole).wait() == 0
        length = time.perf_counter() - began
        first_written: dict[Path, int] = {}
        early = 0
        for _ in range(arguments.kills):
            build = start(folder, killed)
            try:
                build.wait(START_S + chance.random() * max(1.0, length - START_S))
                early += 1
            except subprocess.TimeoutExpired:
                os.killpg(build.pid, signal.SIGKILL)
                build.wait()
            for path in killed.glob("cache/??/*"):
                first_written.setdefault(path, path.stat().st_mtime_ns)
        assert start(folder, killed).wait() == 0
        twice = sum(path.stat().st_mtime_ns != written for path, written in first_written.items())
        same = contents(whole) == contents(killed)
        left = [path for path in killed.rglob("*") if ".tmp" in path.parts]
    print(f"{arguments.kills} kills ({early} came after the end), undisturbed build {length:.1f} s")
    print(f"same bytes: {same}; computed twice: {twice}; temporary files left: {len(left)}")
    sys.exit(not same or bool(twice) or bool(left))


if __name__ == "__main__":
    main()
