"""A whole build beside its floor and beside what people write today, in one run: one table, one JSON.

    python -m benchmarks.end_to_end --videos 6 --seconds 60 --json end-to-end.json

Every line is a ratio of times taken in this run, on this machine, on the same media with the same shapes of
models (random weights). The floor on a CPU is the bare encoders at their best batch plus the bare decoder,
which share the cores. A build's time is its pipeline's, Beam included, the interpreter's start not.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.encoders import bare, bare_batches
from benchmarks.films import ZOOM, talking_films
from benchmarks.lines import Line, write
from benchmarks.progress import say
from decoders.clips import decode_clips
from featurizers.registry import resolve
from runners.build import seconds
from schemas.grid import SECOND_NS, Grid, Span, cut
from schemas.media import ClipRequest

PAIRS = {"vit-b-32+tiny": ("vit-b-32", "tiny"), "vit-l-14+small": ("vit-l-14", "small")}
CLIP_SECONDS = 30


def floor(videos: list[Path], seconds: int, clip: str, listener: str) -> dict[str, float]:
    """Seconds of the bare encoders at their best batch, and of the bare decoder."""
    say(f"bare {clip}, bare {listener} and the bare decoder")
    dtype = resolve("clip", f"clip:random:{clip}").fingerprint().dtype
    frames, windows = 2 * seconds * len(videos), math.ceil(seconds / CLIP_SECONDS) * len(videos)
    return {
        "clip": frames * _best(f"clip:{clip}", dtype),
        "whisper": windows * _best(f"whisper:{listener}", dtype),
        "decoder": _decode(videos, seconds, clip),
    }


def _best(model: str, dtype: str) -> float:
    """Seconds a row at the best batch."""
    encode, best = bare(model, dtype, "cpu"), math.inf
    with torch.inference_mode():
        for batch in bare_batches(model):
            encode(batch)
            times = []
            for _ in range(3):
                start = time.perf_counter()
                encode(batch)
                times.append(time.perf_counter() - start)
            best = min(best, statistics.median(times) / batch)
    return best


def _decode(videos: list[Path], seconds: int, clip: str) -> float:
    transform = resolve("clip", f"clip:random:{clip}").frame_transform()
    assert transform
    requests = [
        ClipRequest(Grid(Span(span.start_ns, span.end_ns)), True, True)
        for span in cut(seconds * SECOND_NS, CLIP_SECONDS * SECOND_NS)
    ]
    start = time.perf_counter()
    for video in videos:
        for _ in decode_clips(str(video), requests, {"clip": transform}, threads=torch.get_num_threads()):
            pass
    return time.perf_counter() - start


def build(folder: Path, output: Path, clip: str, listener: str, *more: str) -> dict[str, float]:
    """Seconds by stage."""
    say(f"a build: {clip}, {listener}, {output.name}")
    command = [
        sys.executable,
        "-m",
        "pipelines",
        "build",
        str(folder / "*.mp4"),
        "--output",
        str(output),
    ]
    command += ["--clip", f"random:{clip}", "--whisper", f"random:{listener}", *more]
    subprocess.run(command, check=True, capture_output=True)
    return seconds(output)


def practitioner(videos: list[Path], output: Path, clip: str, listener: str) -> float:
    """Seconds of the loop."""
    say(f"by hand: {clip}, {listener}")
    command = [sys.executable, "-m", "benchmarks.rivals.practitioner", str(output), *map(str, videos)]
    ended = subprocess.run(
        [*command, "--clip", clip, "--whisper", listener], check=True, capture_output=True, text=True
    )
    return float(ended.stdout)


def measure(folder: Path, videos: list[Path], length: int, clip: str, listener: str) -> list[Line]:
    """All lines of one pair of models."""
    name, out = f"{clip} + {listener}", folder / f"{clip}-{listener}"
    bare_seconds = floor(videos, length, clip, listener)
    cache = ["--cache", str(out / "cache")]
    cold = build(folder, out / "cold", clip, listener, *cache)
    cached = build(folder, out / "again", clip, listener, *cache)["build"]
    fp32 = build(folder, out / "fp32", clip, listener, "--dtype", "float32")
    by_hand = practitioner(videos, out / "practitioner.tar", clip, listener)
    print(
        json.dumps({"floor": bare_seconds, "cold": cold, "from cache": cached, "by hand": by_hand}),
        file=sys.stderr,
    )
    return [
        Line.ratio(f"{name}: floor / build", sum(bare_seconds.values()), cold["build"]),
        Line.ratio(f"{name}: practitioner / build", by_hand, cold["build"]),
        Line.ratio(f"{name}: practitioner / build in float32", by_hand, fp32["build"]),
        Line.ratio(f"{name}: build / build from cache", cold["build"], cached),
    ]


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--pairs", nargs="+", choices=PAIRS, default=list(PAIRS), help="of models")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="favor-data-bench-") as temporary:
        folder = Path(temporary)
        videos = talking_films(folder, arguments.videos, arguments.seconds, ZOOM)
        lines = [
            line
            for pair in arguments.pairs
            for line in measure(folder, videos, arguments.seconds, *PAIRS[pair])
        ]
    print(
        f"{arguments.videos} videos of {arguments.seconds} s, 720p H.264, {torch.get_num_threads()} threads"
    )
    for line in lines:
        print(line)
    write(arguments.json, lines)


if __name__ == "__main__":
    main()
