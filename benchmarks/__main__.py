"""Every ratio of a build's speed and memory, measured in one run; one table, one JSON.

    python -m benchmarks --json bench.json

About an hour on two cores, which should have nothing else to do. `make bench` also runs
benchmarks/decode.py and benchmarks/loading.py, whose tables stand beside other projects' readers.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import lines

PARTS = ("encoders", "end_to_end", "scales", "growth")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (all)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"unknown part {unknown.pop()}: one of {', '.join(PARTS)}")
    found: list[lines.Line] = []
    with tempfile.TemporaryDirectory(prefix="favor-data-bench-") as folder:
        for part in arguments.parts or PARTS:
            print(f"\n== {part}", flush=True)
            path = Path(folder) / f"{part}.json"
            subprocess.run([sys.executable, "-m", f"benchmarks.{part}", "--json", str(path)], check=True)
            found += lines.read(path)
    print("\n== all")
    for line in found:
        print(line)
    lines.write(arguments.json, found)


if __name__ == "__main__":
    main()
