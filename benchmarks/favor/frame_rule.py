"""FAVOR's frame rule beside what its released code calls: pytorchvideo 0.1.5, with its PyAV decoder.

    python -m benchmarks.favor.frame_rule [FILM …] [--pytorchvideo FOLDER]

Makes films of seven rates in two containers, chooses frames both ways, and compares them: how many there are,
and which of all frames (as the ffmpeg command decodes them) each is nearest to, as the two conversions to RGB
differ by a few grey levels. pytorchvideo is none of the project's packages: FOLDER is
where `pip install --no-deps --target FOLDER pytorchvideo==0.1.5 fvcore iopath parameterized yacs portalocker`
put it.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.flashes import ffmpeg
from benchmarks.progress import told
from decoders.clips import decode_clips
from decoders.probe import probe
from schemas.grid import FrameAt, Grid, Span
from schemas.media import ClipRequest

RATES = ("24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001")
SECONDS = (0.6, 1, 7, 7.3, 12.96, 61.4)

Frames = npt.NDArray[np.uint8]


def films(folder: Path) -> Iterator[Path]:
    """Every rate, container and length; and one of a variable rate."""
    codec = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-pix_fmt", "yuv420p"]
    for suffix in ("mp4", "mkv"):
        for rate in told(f"{suffix}, rate", RATES):
            for seconds in SECONDS:
                path = folder / f"{rate.replace('/', '-')}_{seconds}.{suffix}"
                ffmpeg("-f", "lavfi", "-i", f"testsrc2=size=96x64:rate={rate}", "-t", seconds, *codec, path)
                yield path
        thinned = "select='not(mod(n,3))+lt(mod(n,60),11)'"
        path = folder / f"variable.{suffix}"
        source = ["-f", "lavfi", "-i", "testsrc2=size=96x64:rate=30", "-t", "9.5"]
        ffmpeg(*source, "-vf", thinned, "-fps_mode", "vfr", *codec, path)
        yield path


def part(name: str) -> Any:
    """A module of pytorchvideo, past the doors of its packages: they import torchvision."""
    root = importlib.import_module("pytorchvideo")
    package = name.partition(".")[0]
    if f"pytorchvideo.{package}" not in sys.modules:
        door = ModuleType(f"pytorchvideo.{package}")
        door.__path__ = [str(Path(root.__path__[0]) / package)]
        sys.modules[door.__name__] = door
    return importlib.import_module(f"pytorchvideo.{name}")


def released(path: Path) -> Frames:
    """As the released code calls it; uint8 [frames, H, W, 3]."""
    encoded, sampling = part("data.encoded_video_pyav"), part("data.clip_sampling")
    functional = part("transforms.functional")
    video = encoded.EncodedVideoPyAV(BytesIO(path.read_bytes()), path.name, decode_audio=False)
    sampler = sampling.UniformClipSampler(clip_duration=1, backpad_last=True)
    chosen, end, last = [], 0.0, False
    while not last:
        start, end, _, _, last = sampler(end, video.duration, annotation=None)
        clip = video.get_clip(start, end)["video"]
        chosen.append(functional.uniform_temporal_subsample(clip, 2))
    frames = np.concatenate([part.numpy().transpose(1, 2, 3, 0) for part in chosen])
    return frames.astype(np.uint8)


def ours(path: Path) -> Frames:
    """As `--frame-at favor` takes them."""
    grid = Grid(Span(0, probe(str(path)).duration_ns), FrameAt.FAVOR)
    (clip,) = decode_clips(str(path), [ClipRequest(grid, True, False)], {"rgb": np.copy})
    assert clip.frames is not None
    return np.asarray(clip.frames.prepared["rgb"])[clip.frames.frame_of_step]


def numbers(frames: Frames, film: Frames) -> list[int]:
    """Which of the film's frames each is nearest to."""
    wide = film.astype(np.int16)
    return [int(np.abs(wide - frame).mean(axis=(1, 2, 3)).argmin()) for frame in frames]


def main() -> int:
    """Exit status: 0 all alike."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("films", nargs="*", type=Path, help="instead of those that it makes")
    parser.add_argument("--pytorchvideo", type=Path, help="where it was put")
    options = parser.parse_args()
    if options.pytorchvideo:
        sys.path.append(str(options.pytorchvideo))
    wrong = frames = count = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in options.films or films(Path(folder)):
            count += 1
            theirs, mine = released(path), ours(path)
            raw = ffmpeg("-i", path, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
            film = np.frombuffer(raw, np.uint8).reshape(-1, *theirs.shape[1:])
            frames += len(theirs)
            if (chosen := numbers(theirs, film)) != (taken := numbers(mine, film)):
                wrong += 1
                print(f"{path.name}: frames {chosen}, ours {taken}")
    print(f"{count} films, {frames} frames: {count - wrong} alike, {wrong} not")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
