"""How a build grows: 1, 10 and 100 videos, 10 minutes and 2 hours, slides and a lively scene, in one run.

    python -m benchmarks.scales --json scales.json

Times are the pipelines' own; memory is that of all processes of a build together, each shared
page counted once (PSS), looked at twice a second. Random weights of ViT-B/32 and Whisper tiny.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.films import H264, SHAPES, film, talking_films, voice
from benchmarks.lines import Line, write
from benchmarks.progress import say
from runners.build import seconds

GLOBS = {1: "000.mp4", 10: "00?.mp4", 100: "*.mp4"}
LOOK_S = 0.5
SECONDS = 30  # of each of the 100 videos
MODELS = ["--clip", "random:vit-b-32", "--whisper", "random:tiny"]


@dataclass(frozen=True)
class Run:
    """One build: seconds by stage ("build" is the pipeline), bytes at most, seconds until the first clip of
    decoded media was in the cache, the interpreter's start included."""

    seconds: dict[str, float]
    peak_bytes: int
    first_clip_s: float


def _cache(output: Path) -> Path:
    """One of its own, which keeps its features after the commit."""
    return output.with_name(f"{output.name}.cache")


def build(source: str, output: Path, *more: str) -> Run:
    """Run the command and watch it."""
    say(f"a build: {output.name}")
    cache = _cache(output)
    command = [sys.executable, "-m", "pipelines", "build", source, "--output", str(output)]
    command += ["--cache", str(cache)]
    start, peak, first = time.perf_counter(), 0, 0.0
    with subprocess.Popen(
        [*command, *MODELS, *more], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            peak = max(peak, sum(_pss(pid) for pid in [process.pid, *_descendants(process.pid)]))
            if not first and any(cache.rglob("*.json")):
                first = time.perf_counter() - start
            time.sleep(LOOK_S)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Run(seconds(output), peak, first)


def _descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:  # it has ended
            continue
        for child in map(int, children):
            yield child
            yield from _descendants(child)


def _pss(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in rollup.splitlines() if line.startswith("Pss:")), 0)


def make_long(folder: Path, seconds: int) -> Path:
    """A lively minute, repeated."""
    say(f"a film of {seconds} s")
    path = folder / f"{seconds}s.mp4"
    talking_films(folder, 1, 60, SHAPES)
    repeated = ["-stream_loop", str(seconds // 60 - 1), "-i", str(folder / "000.mp4")]
    film(path, "nullsrc", *repeated, "-map", "1", "-c", "copy", "-t", str(seconds))
    return path


def make_slides(folder: Path, seconds: int) -> Path:
    """One picture a minute, with a voice."""
    path = folder / "slides.mp4"
    scene = "mandelbrot=size=640x360:rate=1/60:end_scale=0.01:end_pts=60"
    film(path, scene, *voice(folder), "-t", str(seconds), "-r", "25", *H264)
    return path


def ratios(folder: Path, minutes: tuple[int, int]) -> Iterator[Line]:
    """As soon as each is known."""
    videos = folder / "videos"
    videos.mkdir()
    talking_films(videos, max(GLOBS), SECONDS, SHAPES)
    cache = ("--cache", str(folder / "cache"))
    runs = {
        n: build(str(videos / glob), folder / f"out{n}", *(cache if n == max(GLOBS) else ()))
        for n, glob in GLOBS.items()
    }
    one, ten, hundred = (runs[n].seconds["build"] for n in GLOBS)
    yield Line.ratio("a video among 100 / among 10", (hundred - ten) / 90, (ten - one) / 9)
    yield _memory("100 videos / 10", runs[100], runs[10])
    yield Line("start to first decoded clip, s", runs[1].first_clip_s, "models cached")
    again = build(str(videos / "*.mp4"), folder / "again", "--cache", str(_cache(folder / "out100")))
    yield Line.ratio("100 videos / the same from cache", hundred, again.seconds["build"])

    short, long = (build(str(make_long(_folder(folder, n), 60 * n)), folder / f"long{n}") for n in minutes)
    name = f"{minutes[1]} minutes / {minutes[0]} minutes"
    yield _memory(name, long, short)
    yield Line.ratio(f"time of {name}", long.seconds["build"], short.seconds["build"])

    slides = build(str(make_slides(_folder(folder, 0), 60 * minutes[0])), folder / "slides")
    yield Line.ratio("vision, lively / slides", short.seconds["encode clip"], slides.seconds["encode clip"])


def _folder(parent: Path, minutes: int) -> Path:
    folder = parent / f"in{minutes}"
    folder.mkdir()
    return folder


def _memory(name: str, large: Run, small: Run) -> Line:
    how = f"{large.peak_bytes / 1e9:.2f} GB / {small.peak_bytes / 1e9:.2f} GB"
    return Line(f"memory of {name}", large.peak_bytes / small.peak_bytes, how)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=int, nargs=2, default=(10, 120), metavar=("SHORT", "LONG"))
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory(prefix="favor-data-scales-") as folder:
        for line in ratios(Path(folder), tuple(arguments.minutes)):
            print(line, flush=True)
            found.append(line)
    write(arguments.json, found)


if __name__ == "__main__":
    main()
