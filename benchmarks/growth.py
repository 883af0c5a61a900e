"""What a rebuild costs: nothing new, and one input in a hundred new, beside the first build, in one run.

    python -m benchmarks.growth --clips 500

Clips are as short as AudioSet's and VGGSound's, 10 s. Times are whole commands, interpreter's start included.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.films import film
from benchmarks.lines import Line, write
from benchmarks.progress import say, told


def make_clips(folder: Path, first: int, count: int, seconds: float) -> None:
    """Short clips, each another: 320x240 H.264 with AAC."""
    for number in told("clip to make", range(first, first + count)):
        scene = f"testsrc2=size=320x240:rate=25,hue=h={number},format=yuv420p"
        tone = f"sine=frequency={200 + number}:sample_rate=16000"
        sound = ["-f", "lavfi", "-i", tone, "-t", str(seconds), "-c:a", "aac"]
        film(folder / f"clip{number:05d}.mp4", scene, *sound, "-c:v", "libx264", "-preset", "ultrafast")


def command(folder: Path, output: Path, *models: str) -> list[str]:
    """A build, as a user types it."""
    return [sys.executable, "-m", "pipelines", "build", str(folder), "--output", str(output), *models]


def build(folder: Path, output: Path, models: list[str]) -> float:
    """Seconds of the whole command."""
    say(f"a build of {sum(1 for _ in folder.iterdir())} clips")
    start = time.perf_counter()
    subprocess.run(command(folder, output, *models), check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=10, help="of a clip")
    parser.add_argument("--clip", default="random:vit-b-32")
    parser.add_argument("--whisper", default="random:tiny")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    models = ["--clip", arguments.clip, "--whisper", arguments.whisper, "--shard-size", "16MB"]
    with tempfile.TemporaryDirectory(prefix="favor-data-growth-") as temporary:
        folder, output = Path(temporary) / "in", Path(temporary) / "out"
        folder.mkdir()
        make_clips(folder, 0, arguments.clips, arguments.seconds)
        first = build(folder, output, models)
        shards = {path: path.read_bytes() for path in output.glob("shards/*.tar")}
        nothing = build(folder, output, models)
        make_clips(folder, arguments.clips, max(1, arguments.clips // 100), arguments.seconds)
        grown = build(folder, output, models)
        untouched = all(path.read_bytes() == content for path, content in shards.items())
    lines = [
        Line.ratio(
            f"{arguments.clips} clips of {arguments.seconds:g} s, nothing new / first", nothing, first
        ),
        Line.ratio(f"{arguments.clips} clips, 1 % new / first", grown, first),
    ]
    for line in lines:
        print(line)
    print(f"old shards untouched: {untouched}")
    write(arguments.json, lines)


if __name__ == "__main__":
    main()
