"""`python -m benchmarks.signals.cost`: what `--signals` and `--signals full` cost a build, in CPU seconds.

Every round builds the same clips without, with, and with full, one after the other, by encoders of two sizes
(untrained weights: the work is the same). A build's children count; its start-up, which all have, does not.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from operator import itemgetter
from pathlib import Path

import imageio_ffmpeg

from benchmarks.progress import told
from demo.make_media import MEDIA

SIZES = {
    "tiny and ViT-B/32": ["--whisper", "random:tiny", "--clip", "random:vit-b-32"],
    "base and ViT-L/14": ["--whisper", "random:base", "--clip", "random:vit-l-14"],
}
WAYS = {"without": [], "--signals": ["--signals"], "--signals full": ["--signals", "full"]}


def make(folder: Path, clips: int, seconds: float) -> Path:
    """Speech over pictures that move, 640 by 360 at 25 frames a second."""
    folder.mkdir()
    spoken = sorted((MEDIA / "speech").glob("*.flac"))
    for number in range(clips):
        picture = sorted((MEDIA / "pictures").glob("*.jpg"))[number % 5]
        chain = "scale=960:720,crop=640:360:x='160+150*sin(t)':y='180+170*cos(0.7*t)',noise=alls=6:allf=t"
        command = ["-loop", "1", "-framerate", "25", "-i", str(picture), "-stream_loop", "-1"]
        command += [
            "-i",
            str(spoken[number % len(spoken)]),
            "-vf",
            chain,
            "-t",
            str(seconds),
            "-pix_fmt",
            "yuv420p",
        ]
        ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", *command]
        subprocess.run([*ffmpeg, "-pix_fmt", "yuv420p", str(folder / f"{number}.mp4")], check=True)
    return folder


def cpu_seconds(media: Path, output: Path, options: list[str]) -> float:
    """Of one build, its children's too."""
    build = [sys.executable, "-m", "pipelines", "build", str(media), "--output", str(output), "--quiet"]
    started = subprocess.Popen([*build, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(started.pid, 0)
    if status:
        raise RuntimeError(f"a build failed: {options}")
    return used.ru_utime + used.ru_stime


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.signals.cost", description=__doc__)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print("| encoders | build | CPU s, median | times a build without |\n|---|---|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        media = make(Path(folder, "media"), given.clips, given.seconds)
        tiny = make(Path(folder, "tiny"), 1, 0.5)
        for size, encoders in SIZES.items():
            found: dict[str, list[float]] = {way: [] for way in WAYS}
            for number in told(f"{size}, round", range(given.rounds)):
                start = cpu_seconds(tiny, Path(folder, f"{size[:4]} start {number}"), encoders)
                for way, options in told(f"{size}, build", WAYS.items(), itemgetter(0)):
                    output = Path(folder, f"{size[:4]} {number} {way}")
                    found[way].append(cpu_seconds(media, output, [*encoders, *options]) - start)
            for way, spent in found.items():
                ratio = statistics.median(
                    one / other for one, other in zip(spent, found["without"], strict=True)
                )
                print(f"| {size} | {way} | {statistics.median(spent):.1f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
