"""Features, transcripts and batches beside the strongest rivals, in turns, in one run; docs/rivals.md.

    python -m benchmarks.rivals --python rivals/bin/python --json rivals.json [--write docs/rivals.md]

`--python` is the rivals' environment, which `make rivals` makes. Films that FILE already has are not measured
again: a run that was stopped goes on. `--read rivals.json` measures nothing and writes the page.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.rivals import environment, features, loaders, transcripts
from benchmarks.rivals.films import SETS
from benchmarks.rivals.page import page

PARTS = ("features", "transcripts", "loaders")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (all)")
    parser.add_argument("--python", default=sys.executable, metavar="PROGRAM")
    parser.add_argument("--films", nargs="+", metavar="KIND", help="ordinary, dense, talk, slides (all)")
    parser.add_argument("--models", nargs=2, default=("vit-b-32", "tiny"), metavar=("CLIP", "WHISPER"))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--write", type=Path, metavar="PAGE")
    parser.add_argument("--read", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"unknown part {unknown.pop()}: one of {', '.join(PARTS)}")
    if arguments.read:
        found = json.loads(arguments.read.read_text(encoding="utf-8"))
    else:
        if lacking := environment.lacking(arguments.python):
            parser.error(lacking)
        found = {"machine": _machine(), "models": list(arguments.models)}
        if arguments.json and arguments.json.exists():
            found |= json.loads(arguments.json.read_text(encoding="utf-8"))
        for part in arguments.parts or PARTS:
            rows = found[part] = found.get(part, []) if part == "features" else []
            for row in _rows(part, arguments, {row["films"] for row in rows if part == "features"}):
                print(row, flush=True)
                rows.append(row)
                if arguments.json:
                    arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if arguments.write:
        arguments.write.write_text(page(found), encoding="utf-8")


def _rows(part: str, arguments: argparse.Namespace, measured: set[str]) -> Any:
    if part == "features":
        sets = [films for films in SETS if films.kind in (arguments.films or films.kind)]
        sets = [films for films in sets if str(films) not in measured]
        return features.measure(sets, tuple(arguments.models), arguments.repeat, arguments.python)
    measure = transcripts.measure if part == "transcripts" else loaders.measure
    return measure(arguments.repeat, arguments.python)


def _machine() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{len(os.sched_getaffinity(0))} cores of {name or 'an unknown processor'}"


if __name__ == "__main__":
    main()
