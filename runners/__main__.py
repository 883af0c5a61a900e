"""`python -m runners`: one corpus on several engines; exit status 1 where their bytes differ."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from runners.build import digests, samples, start
from runners.clips import make_clips
from runners.engines import ENGINES
from runners.shuffle import moved
from runners.tools import Unavailable

LIGHT = ["--whisper", "random:tiny", "--clip", "random:vit-b-32", "--shard-size", "2MB"]


def main() -> int:
    """Exit status: 0 where every engine asked for built the same bytes."""
    parser = argparse.ArgumentParser(prog="python -m runners", description=__doc__)
    parser.add_argument(
        "engines", nargs="*", help=f"of {', '.join(ENGINES)}; the first is the reference (all)"
    )
    parser.add_argument("--clips", type=int, default=64, help="how many short clips (%(default)s)")
    parser.add_argument("--timeout", type=float, default=900, help="seconds a build may take (%(default)s)")
    asked = parser.parse_args()
    if unknown := set(asked.engines) - set(ENGINES):
        parser.error(f"unknown engine {unknown.pop()}: one of {', '.join(ENGINES)}")
    with tempfile.TemporaryDirectory(prefix="favor-data-runners-") as folder:
        return compare(Path(folder), asked.engines or list(ENGINES), asked.clips, asked.timeout)


def compare(folder: Path, engines: list[str], clips: int, timeout: float) -> int:
    """Builds the corpus on each engine in turn and compares it with the first's."""
    _say(f"making {clips} clips")
    make_clips(folder / "media", clips)
    reference: dict[str, str] = {}
    status = 0
    for engine in engines:
        began = time.monotonic()
        try:
            output = _build(folder, engine, timeout)
        except (Unavailable, RuntimeError) as error:
            _say(f"{engine}: {error}")
            status = 1
            continue
        made = digests(output)
        reference = reference or made
        different = sorted(name for name in reference | made if reference.get(name) != made.get(name))
        status |= bool(different)
        verdict = f"DIFFERS in {', '.join(different)}" if different else f"{len(made)} files, the same bytes"
        _say(f"{engine}: {samples(output)} samples, {verdict} ({time.monotonic() - began:.0f} s)")
        if (archive := folder / f"{engine}-run" / "archive").exists():
            bytes_moved, count = moved(archive), samples(output)
            _say(
                f"{engine}: {bytes_moved.shuffled / count:.0f} bytes a sample through shuffles, "
                f"{bytes_moved.between_tasks / count:.0f} between tasks in all"
            )
    return status


def _build(folder: Path, engine: str, timeout: float) -> Path:
    run = folder / f"{engine}-run"
    run.mkdir()
    with ENGINES[engine](run) as arguments:
        build = start(folder / "media", folder / engine, LIGHT + arguments)
        if code := build.wait(timeout):
            raise RuntimeError(f"exit status {code}\n{build.log.read_text()[-4000:]}")
    return build.output


def _say(line: str) -> None:
    print(f"runners: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
