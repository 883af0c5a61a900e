"""`python -m runners.kill_worker`: an SDK worker of a Flink job dies in mid-run; what is there at the end?

The corpus must be the one that an undisturbed build makes in process, byte for byte, after at most one more
run of the same command.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from runners.__main__ import LIGHT
from runners.build import Started, digests, start
from runners.clips import make_clips
from runners.engines import ENGINES
from runners.tools import Unavailable

WORKER = b"SdkHarness"


def main() -> int:
    """Exit status: 0 where the corpus is the same."""
    parser = argparse.ArgumentParser(prog="python -m runners.kill_worker", description=__doc__)
    parser.add_argument("--clips", type=int, default=64, help="how many short clips (%(default)s)")
    parser.add_argument("--after", type=int, default=20, help="features cached before the kill (%(default)s)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="favor-data-kill-") as name:
        folder = Path(name)
        make_clips(folder / "media", asked.clips)
        if start(folder / "media", folder / "reference", LIGHT).wait(900):
            print((folder / "reference.log").read_text())
            return 1
        try:
            code = on_flink(folder, asked.after)
            print(f"runners: the disturbed build ended with exit status {code}", flush=True)
            if code:
                code = on_flink(folder)
                print(f"runners: the same command again: exit status {code}", flush=True)
        except Unavailable as error:
            print(f"runners: {error}")
            return 1
        same = not code and digests(folder / "flink") == digests(folder / "reference")
        print(f"runners: {'the same bytes' if same else 'DIFFERENT'}", flush=True)
        return 0 if same else 1


def on_flink(folder: Path, kill_after: int | None = None) -> int:
    """Exit status of a build, one of whose workers is killed once `kill_after` features are cached."""
    run = folder / f"run-{kill_after}"
    with ENGINES["flink"](run) as arguments:
        build = start(folder / "media", folder / "flink", LIGHT + arguments)
        while kill_after is not None and build.process.poll() is None:
            if (made := features(build)) >= kill_after:
                victim = workers(build.process.pid)[0]
                os.kill(victim, signal.SIGKILL)
                print(f"runners: killed SDK worker {victim} after {made} features", flush=True)
                break
            time.sleep(0.2)
        return build.wait(900)


def features(build: Started) -> int:
    """Features that the build has put into its cache."""
    return sum(1 for _ in (build.output / "cache").glob("*/*.npy"))


def workers(parent: int) -> list[int]:
    """Process ids of the SDK workers that the process has started."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (folder / "stat").exists():
            state = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(state[1]) == parent and WORKER in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return sorted(found)


if __name__ == "__main__":
    sys.exit(main())
