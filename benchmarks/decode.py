"""Decoding speed: this decoder, the ffmpeg command, decord and torchcodec side by side.

    python -m benchmarks.decode [--repeat 5] [--write docs/decoding.md]
    python -m benchmarks.decode --memory

Every tool takes two frames a second and shrinks them to 224 x 224. Medians over alternating runs, wall and
CPU seconds; the frames of selective decoding are compared bit for bit with those of a full decode. The probe,
which a build runs once a file, is not counted. Own files instead of the films: name them.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest.mock import patch

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt
import torch

from benchmarks.flashes import ffmpeg
from benchmarks.progress import told
from decoders.clips import decode_clips
from decoders.probe import probe
from schemas.grid import SECOND_NS, Grid, cut
from schemas.media import ClipRequest

SECONDS = 30
SIZE = 224


@dataclass(frozen=True)
class Film:
    """One file of the benchmark; pictures with detail and grain, so that decoding costs what it does."""

    name: str
    width: int
    height: int
    encode: str


# Of grain veryfast makes few B-frames: 31 % of the frames are referred to by no other; of x264's defaults,
# 48 %. Without grain both made 44 % of testsrc2's and 50 % of a mandelbrot's.
FILMS = [
    Film("h264 1080p, x264's defaults.mp4", 1920, 1080, "-c:v libx264"),
    Film("h264 1080p, B-frames, 8 s GOP.mp4", 1920, 1080, "-c:v libx264 -preset veryfast -g 240"),
    Film("h264 1080p, B-frames, 1 s GOP.mp4", 1920, 1080, "-c:v libx264 -preset veryfast -g 30"),
    Film("h264 1080p, no B-frames.mp4", 1920, 1080, "-c:v libx264 -preset veryfast -bf 0 -g 240"),
    Film("h264 360p, B-frames.mkv", 640, 360, "-c:v libx264 -preset veryfast -g 240"),
    Film("hevc 720p.mp4", 1280, 720, "-c:v libx265 -preset ultrafast -bf 3 -x265-params log-level=none"),
    Film("vp9 720p.webm", 1280, 720, "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 2M -row-mt 1"),
    Film("av1 720p.mp4", 1280, 720, "-c:v libsvtav1 -preset 12 -crf 40"),
    Film("mpeg4 480p.avi", 854, 480, "-c:v mpeg4 -q:v 4 -bf 2"),
    Film("mpeg2 576p.ts", 720, 576, "-c:v mpeg2video -q:v 4 -bf 2 -g 15"),
    Film("mjpeg 720p.mov", 1280, 720, "-c:v mjpeg -q:v 4 -pix_fmt yuvj420p"),
    Film("theora 480p.ogv", 854, 480, "-c:v libtheora -q:v 7"),
]


def make(film: Film, folder: Path) -> Path:
    """Encode one film."""
    path = folder / film.name
    source = f"testsrc2=s={film.width}x{film.height}:r=30:d={SECONDS},noise=alls=8:allf=t,format=yuv420p"
    ffmpeg("-f", "lavfi", "-i", source, *film.encode.split(), path)
    return path


def shrink(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """uint8 [224, 224, 3], antialiased bicubic."""
    picture = picture if picture.flags.writeable else picture.copy()
    tensor = torch.from_numpy(picture).permute(2, 0, 1)[None]
    small = torch.nn.functional.interpolate(tensor, size=(SIZE, SIZE), mode="bicubic", antialias=True)
    return np.asarray(small[0].permute(1, 2, 0).numpy(), np.uint8)


def fingerprint(picture: npt.NDArray[np.uint8]) -> bytes:
    """Of the whole picture, bit for bit."""
    return hashlib.sha256(picture.tobytes()).digest()


@cache
def requests(path: Path) -> list[ClipRequest]:
    """The whole film in clips of 30 s, pictures alone."""
    return [
        ClipRequest(Grid(span), True, False) for span in cut(probe(str(path)).duration_ns, 30 * SECOND_NS)
    ]


def with_us(path: Path) -> int:
    """Frames prepared by this decoder, on two threads."""
    clips = decode_clips(str(path), requests(path), {"clip": shrink}, threads=2)
    return sum(len(clip.frames.prepared["clip"]) for clip in clips if clip.frames)


def with_ffmpeg(path: Path) -> int:
    """Frames written by the ffmpeg command."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", path]
    command += ["-vf", f"fps=2,scale={SIZE}:{SIZE}", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return len(done.stdout) // (SIZE * SIZE * 3)


def with_decord(path: Path) -> int:
    """Frames from decord, asked for by number."""
    import decord

    reader = decord.VideoReader(str(path), width=SIZE, height=SIZE, num_threads=2)
    return len(reader.get_batch(list(range(7, len(reader), 15))).asnumpy())


def with_torchcodec(path: Path) -> int:
    """Frames from torchcodec, asked for by time."""
    from torchcodec.decoders import (  # type: ignore[import-not-found,unused-ignore]
        VideoDecoder,
    )

    decoder = VideoDecoder(str(path), num_ffmpeg_threads=2, seek_mode="approximate")
    begin, end = decoder.metadata.begin_stream_seconds, decoder.metadata.end_stream_seconds
    frames = decoder.get_frames_played_at(np.arange(begin + 0.25, end, 0.5).tolist()).data
    return len(torch.nn.functional.interpolate(frames, size=(SIZE, SIZE), mode="bicubic", antialias=True))


TOOLS: dict[str, Callable[[Path], int]] = {
    "ffmpeg": with_ffmpeg,
    "favor-data": with_us,
    "decord": with_decord,
    "torchcodec": with_torchcodec,
}


def timed(tool: Callable[[Path], int], path: Path) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), _cpu()
    tool(path)
    return time.perf_counter() - wall, _cpu() - cpu


def _cpu() -> float:
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def exact(path: Path) -> bool:
    """Whether selective decoding gives what a full decode gives."""

    def decode() -> list[object]:
        clips = decode_clips(str(path), requests(path), {"sha256": fingerprint}, threads=2)
        return [(c.frames.prepared["sha256"], c.frames.pts_ns.tolist()) for c in clips if c.frames]

    with patch("decoders.clips.plan", return_value=None):
        full = decode()
    return full == decode()


def table(folder: Path, repeat: int, files: list[Path]) -> Iterator[str]:
    """The table of speeds in Markdown, line by line."""
    tools = {
        name: tool for name, tool in TOOLS.items() if name != "torchcodec" or importlib.util.find_spec(name)
    }
    yield f"| film | ffmpeg, s | {' | '.join(list(tools)[1:])} | same frames as a full decode |"
    yield f"|---|---:|{'---:|' * len(tools)}"
    named: list[Film | Path] = [*(files or FILMS)]
    for film in told("film", named, lambda film: film.name):
        path = make(film, folder) if isinstance(film, Film) else film
        requests(path)
        runs = [{name: _attempt(tool, path) for name, tool in tools.items()} for _ in range(repeat)]
        base, *others = [_medians([run[name] for run in runs]) for name in tools]
        cells = [
            f"{base[0] / wall:.2f} / {base[1] / cpu:.2f}" if wall < math.inf else "fails"
            for wall, cpu in others
        ]
        verdict = "yes" if exact(path) else "NO"
        yield f"| {path.name} | {base[0]:.2f} / {base[1]:.2f} | {' | '.join(cells)} | {verdict} |"


def _medians(runs: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(wall for wall, _ in runs), statistics.median(cpu for _, cpu in runs)


def _attempt(tool: Callable[[Path], int], path: Path) -> tuple[float, float]:
    try:
        return timed(tool, path)
    except Exception as error:  # noqa: BLE001 - another project's reader may fail on a film in any way
        print(f"{tool.__name__} fails on {path.name}: {error}", file=sys.stderr)
        return math.inf, math.inf


def memory(folder: Path) -> None:
    """Print the peak memory of decoding two minutes and two hours."""
    short, long = folder / "short.mp4", folder / "long.mp4"
    source = "testsrc2=s=320x180:r=15:d=120,noise=alls=4:allf=t,format=yuv420p"
    encode = "-c:v libx264 -preset veryfast -c:a aac"
    ffmpeg("-f", "lavfi", "-i", source, "-f", "lavfi", "-i", "sine=300:d=120", *encode.split(), short)
    ffmpeg("-stream_loop", 59, "-i", short, "-c", "copy", long)
    peaks = {}
    for path in told("film", (short, long), lambda path: path.name):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.decode", "--peak", path], stdout=subprocess.PIPE, check=True
        )
        peaks[path] = int(done.stdout)
        print(f"{probe(str(path)).duration_ns / SECOND_NS / 60:.0f} minutes: {peaks[path] / 1024:.0f} MiB")
    print(f"ratio {peaks[long] / peaks[short]:.3f}")


def peak(path: Path) -> int:
    """KiB held at most while decoding a whole file, sound and pictures, clip by clip."""
    spans = cut(probe(str(path)).duration_ns, 30 * SECOND_NS)
    for _ in decode_clips(
        str(path), [ClipRequest(Grid(span), True, True) for span in spans], {"clip": shrink}
    ):
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


HEAD = """# How fast decoding is

Written by `python -m benchmarks.decode --write docs/decoding.md`; not to be edited by hand.

How many times as fast as the ffmpeg command (`fps=2,scale=224:224`, all threads): wall / CPU time, on two
cores, medians of {repeat} runs in turns. Films of 30 s at 30 fps, with detail and grain. Every decoder gives
two frames a second, shrunk to 224 x 224; what this one gives is compared, bit for bit and at full size, with
a decode of every frame. torchcodec has a column where it is installed (`pip install
'torchcodec==0.11.*'` beside torch 2.11); it is no dependency of ours.

"""


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--write", type=Path, metavar="FILE", help="the table, as a page")
    parser.add_argument("--memory", action="store_true", help="peak memory instead of speed")
    parser.add_argument("--peak", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.peak:
        print(peak(arguments.peak))
        return
    with tempfile.TemporaryDirectory() as folder:
        if arguments.memory:
            memory(Path(folder))
            return
        lines = []
        for line in table(Path(folder), arguments.repeat, arguments.files):
            print(line, flush=True)
            lines.append(line)
    if arguments.write:
        arguments.write.write_text(
            HEAD.format(repeat=arguments.repeat) + "\n".join(lines) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
