"""How long `favor-data recipe` takes for half a million records, and in how much memory.

    python -m benchmarks.recipes --records 500000

Each set is made twice, once ten times smaller; times and memory are the whole command's, the listing of the
media folder (a file for five records) among them. Bounds: 60 s for 100,000 records; the larger set may take
1.1 times the smaller one's memory.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.progress import say
from benchmarks.recipes.sets import SETS

MOST_SECONDS = 60  # for 100,000 records
MOST_GROWTH = 1.1


@dataclass(frozen=True)
class Run:
    """One command: its seconds, the most memory it had, and the lines of its manifest."""

    records: int
    seconds: float
    memory: int
    rows: int


def run(name: str, records: int) -> Run:
    """Makes a set of this size in a temporary folder, and its manifest."""
    say(f"{name}, {records:,} records")
    with tempfile.TemporaryDirectory(prefix="favor-data-benchmark-") as parent:
        folder = Path(parent)
        for part in ("annotations", "media"):
            (folder / part).mkdir()
        SETS[name](folder, records)
        command = [
            sys.executable,
            "-m",
            "pipelines",
            "recipe",
            name,
            "--annotations",
            str(folder / "annotations"),
        ]
        command += ["--media", str(folder / "media"), "--output", str(folder / "manifest.jsonl")]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            raise SystemExit(f"{name}: the command ended with {os.waitstatus_to_exitcode(status)}")
        with (folder / "manifest.jsonl").open("rb") as lines:
            rows = sum(1 for _ in lines)
    return Run(records, seconds, usage.ru_maxrss * 1024, rows)


def main() -> int:
    """See the module. Exit status 1: out of bounds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--sets", nargs="+", choices=sorted(SETS), default=list(SETS))
    options = parser.parse_args()
    bad = False
    for name in options.sets:
        small, large = run(name, options.records // 10), run(name, options.records)
        each = large.seconds / large.records * 100_000
        growth = large.memory / small.memory
        bad |= each > MOST_SECONDS or growth > MOST_GROWTH
        print(
            f"{name:<10} {large.records:>8} records, {large.rows:>8} rows: {large.seconds:6.1f} s, "
            f"{each:5.1f} s for 100,000; {large.memory / 1e6:.0f} MB, {growth:.2f} times that of a tenth"
        )
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
