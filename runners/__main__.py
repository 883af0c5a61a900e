"""`python -m runners compare`: one corpus on several engines; exit status 1 where their bytes differ."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from runners.build import digests, start
from runners.clips import make_clips
from runners.engines import ENGINES
from runners.shuffle import archive_into, shuffled_bytes
from runners.tools import Unavailable

LIGHT = ["--whisper", "random:tiny", "--clip", "random:vit-b-32", "--shard-size", "2MB"]


def main() -> int:
    """Exit status: 0 where every engine asked for built the same bytes."""
    parser = argparse.ArgumentParser(prog="python -m runners", description=__doc__)
    parser.add_argument("engines", nargs="*", default=list(ENGINES), help=f"of {', '.join(ENGINES)}")
    parser.add_argument("--clips", type=int, default=64, help="how many short clips (%(default)s)")
    parser.add_argument("--timeout", type=float, default=900, help="seconds a build may take (%(default)s)")
    asked = parser.parse_args()
    if unknown := set(asked.engines) - set(ENGINES):
        parser.error(f"unknown engine {unknown.pop()}: one of {', '.join(ENGINES)}")
    with tempfile.TemporaryDirectory(prefix="favor-data-runners-") as folder:
        return compare(Path(folder), asked.engines, asked.clips, asked.timeout)


def compare(folder: Path, engines: list[str], clips: int, timeout: float) -> int:
    """Builds the corpus on each engine in turn, the first being what the others are compared with."""
    print(f"runners: making {clips} clips", flush=True)
    make_clips(folder / "media", clips)
    reference: dict[str, str] = {}
    status = 0
    for engine in engines:
        try:
            arguments = ENGINES[engine]()
        except Unavailable as error:
            print(f"runners: {engine}: not compared: {error}", flush=True)
            status = 1
            continue
        began = time.monotonic()
        output, archive = folder / engine, folder / f"{engine}-archive"
        build = start(folder / "media", output, LIGHT + arguments, FLINK_CONF_DIR=str(archive_into(archive)))
        if build.wait(timeout):
            print(f"runners: {engine}: FAILED\n{build.log.read_text()[-4000:]}", flush=True)
            status = 1
            continue
        made = digests(output)
        reference = reference or made
        different = sorted(name for name in reference | made if reference.get(name) != made.get(name))
        status |= bool(different)
        verdict = f"DIFFERS in {', '.join(different)}" if different else f"{len(made)} files, the same bytes"
        print(f"runners: {engine}: {verdict} ({time.monotonic() - began:.0f} s)", flush=True)
        if jobs := shuffled_bytes(archive):
            print(f"runners: {engine}: {jobs} bytes between Flink's tasks", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
