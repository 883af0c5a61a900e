"""Many short clips of several kinds, made in seconds: what the engines are compared on."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

KINDS = (
    ("mp4", "libx264", "aac"),
    ("mkv", "libx264", None),
    ("webm", "libvpx", "libopus"),
    ("mp3", None, "mp3"),
)
FPS = 25


def make_clips(folder: Path, count: int, size: tuple[int, int] = (128, 96), seconds: float = 2.0) -> None:
    """Writes `count` clips, no two alike; every ninth is a copy under another name, every sixteenth broken.

    `size`: width and height of the pictures. A clip is up to one second longer than `seconds`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        suffix, video, audio = KINDS[number % len(KINDS)]
        path = folder / f"clip_{number:04d}.{suffix}"
        if number % 16 == 15:
            path.write_bytes(b"not a clip at all" * 100)
        elif number % 9 == 8 and (twin := folder / f"clip_{number - 8:04d}.{suffix}").exists():
            shutil.copy(twin, path)
        else:
            render(path, video, audio, size, seconds + number % 5 / 4, number)


def render(
    path: Path, video: str | None, audio: str | None, size: tuple[int, int], seconds: float, number: int
) -> None:
    """One clip; `number` decides its colours and its tone."""
    with av.open(str(path), "w") as container:
        pictures = container.add_stream(video, rate=FPS, options={"g": "12"}) if video else None
        sound = container.add_stream(audio, rate=48_000, layout="mono") if audio else None
        if isinstance(pictures, av.VideoStream):
            pictures.width, pictures.height, pictures.pix_fmt = *size, "yuv420p"
            for index in range(round(seconds * FPS)):
                frame = av.VideoFrame.from_ndarray(_picture(size, index, number), format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, FPS)
                container.mux(pictures.encode(frame))
            container.mux(pictures.encode(None))
        if isinstance(sound, av.AudioStream):
            time = np.arange(round(seconds * 48_000)) / 48_000
            tone = 0.3 * np.sin(2 * np.pi * (200 + 10 * number) * time)
            whole = av.AudioFrame.from_ndarray(tone[None].astype(np.float32), format="fltp", layout="mono")
            whole.sample_rate, whole.time_base, whole.pts = 48_000, Fraction(1, 48_000), 0
            resampler = av.AudioResampler(sound.format, "mono", 48_000)
            for part in [*resampler.resample(whole), *resampler.resample(None)]:
                container.mux(sound.encode(part))
            container.mux(sound.encode(None))


def _picture(size: tuple[int, int], index: int, number: int) -> npt.NDArray[np.uint8]:
    """uint8 [height, width, 3]: stripes that move; no two clips have the same."""
    across, down = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    red = across * (1 + number % 3) + 4 * index
    green = down * (1 + number % 5) + 2 * index
    return np.stack([red, green, np.full_like(red, 3 * number)], axis=-1).astype(np.uint8)
