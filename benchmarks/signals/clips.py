"""Clips that strike, bounce, flash and talk, and clips whose sound does not belong to their picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from demo.make_media import MEDIA, RATE, speech

SIZE = WIDTH, HEIGHT = 320, 240
SECONDS = 10.0
SPEECH = sorted(path.name for path in (MEDIA / "speech").glob("*.flac"))
Picture = npt.NDArray[np.uint8]
Wave = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Clip:
    """`belongs`: the sound is the picture's own; `strikes`: and more than lips say so."""

    name: str
    belongs: bool
    strikes: bool
    fps: int
    frames: Callable[[], Iterator[Picture]]
    sound: Callable[[], Wave]


def clips(each: int) -> list[Clip]:
    """`each` of every kind; a kind and a number make the same clip each time."""
    made = []
    for number in range(each):
        made += [
            _strike(f"strike {number}", number, number, moving=False),
            _strike(f"strike, camera moves {number}", 10 + number, 10 + number, moving=True),
            _bounce(f"bounce {number}", number),
            _flash(f"flash {number}", number),
            _talk(f"talk {number}", number, number),
            _strike(f"strike, other sound {number}", 20 + number, 120 + number, moving=False),
            _talk(f"talk, other voice {number}", number, number + 3),
            _talk(f"voice over a photograph {number}", number, None),
        ]
    return made


def render(clip: Clip, path: Path) -> Path:
    """As H.264 and AAC."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=clip.fps, options={"preset": "veryfast"})
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        assert isinstance(video, av.VideoStream)
        assert isinstance(audio, av.AudioStream)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        for number, picture in enumerate(clip.frames()):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, clip.fps)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        whole = av.AudioFrame.from_ndarray(
            clip.sound()[None].astype(np.float32), format="fltp", layout="mono"
        )
        whole.sample_rate, whole.time_base, whole.pts = RATE, Fraction(1, RATE), 0
        container.mux(audio.encode(whole))
        container.mux(audio.encode(None))
    return path


def _times(seed: int, least: float = 0.5, most: float = 1.4) -> list[float]:
    """Seconds at which something strikes: never even."""
    rng = np.random.default_rng(seed)
    found = [rng.uniform(0.3, 0.8)]
    while found[-1] < SECONDS - 0.3 - most:
        found.append(found[-1] + rng.uniform(least, most))
    return found


def _knocks(seed: int, times: list[float]) -> Wave:
    rng = np.random.default_rng(seed)
    wave = rng.normal(0, 0.004, int(SECONDS * RATE))
    ring = np.arange(RATE // 10) / RATE
    for at in times:
        tone = np.sin(2 * np.pi * rng.uniform(150, 900) * ring) * np.exp(-40 * ring)
        knock = (tone + 0.5 * rng.normal(size=ring.size) * np.exp(-120 * ring)) * rng.uniform(0.3, 0.8)
        start = int(at * RATE)
        wave[start : start + ring.size] += knock[: wave.size - start]
    return wave


def _photograph(name: str, seed: int) -> Callable[[float, float], Picture]:
    """(x, y) -> a window of it, from a place that the seed picks."""
    with Image.open(MEDIA / "pictures" / name) as image:
        scale = 1.5 * max(WIDTH / image.width, HEIGHT / image.height)
        pixels = np.asarray(
            image.convert("RGB").resize((int(image.width * scale), int(image.height * scale)))
        )
    rng = np.random.default_rng(seed)
    left, top = rng.integers(pixels.shape[1] - WIDTH), rng.integers(pixels.shape[0] - HEIGHT)

    def window(x: float, y: float) -> Picture:
        column = int(np.clip(left + x, 0, pixels.shape[1] - WIDTH))
        row = int(np.clip(top + y, 0, pixels.shape[0] - HEIGHT))
        return pixels[row : row + HEIGHT, column : column + WIDTH].copy()

    return window


def _grained(picture: npt.NDArray[np.uint8] | npt.NDArray[np.int16], rng: np.random.Generator) -> Picture:
    """With a camera's noise."""
    return np.asarray(np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255), np.uint8)


def _strike(name: str, seed: int, heard: int, moving: bool) -> Clip:
    """A stick falls upon a table, rests, and is raised."""
    fps, times = 25, _times(seed)
    window = _photograph(("coffee.jpg", "cat.jpg", "rocket.jpg")[seed % 3], seed)

    def frames() -> Iterator[Picture]:
        rng = np.random.default_rng(seed)
        for number in range(int(SECONDS * fps)):
            time = number / fps
            picture = window(20 * np.sin(0.7 * time), 8 * np.sin(0.5 * time)) if moving else window(0, 0)
            before = min((time - at for at in times if at <= time), default=9.0)
            until = min((at - time for at in times if at > time), default=9.0)
            raised = np.clip((before - 0.08) / 0.25, 0, 1)
            falling = 1 - np.clip(1 - until / 0.14, 0, 1) ** 2
            row = int(170 - 90 * min(raised, falling))
            picture[row : row + 12, 100:220] = (230, 60, 40)
            picture[182:200, 80:240] = (90, 90, 90)
            yield _grained(picture, rng)

    return Clip(name, seed == heard, True, fps, frames, lambda: _knocks(heard, _times(heard)))


def _bounce(name: str, seed: int) -> Clip:
    """A ball upon a floor."""
    fps, times, window = 30, _times(seed, 0.5, 1.1), _photograph("cat.jpg", seed)

    def frames() -> Iterator[Picture]:
        rng = np.random.default_rng(seed)
        gravity = rng.uniform(300, 600)
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        for number in range(int(SECONDS * fps)):
            time = number / fps
            picture = window(0, 0)
            left = max((at for at in times if at <= time), default=times[0] - 0.8)
            lands = min((at for at in times if at > time), default=times[-1] + 0.8)
            height = gravity * max((time - left) * (lands - time), 0)
            ball = (rows - 200 + height) ** 2 + (columns - 160 - 60 * np.sin(time)) ** 2 < 200
            picture[ball] = (240, 230, 60)
            yield _grained(picture, rng)

    return Clip(name, True, True, fps, frames, lambda: _knocks(seed, times))


def _flash(name: str, seed: int) -> Clip:
    fps, times, window = 25, _times(seed, 0.6, 1.6), _photograph("rocket.jpg", seed)

    def frames() -> Iterator[Picture]:
        rng = np.random.default_rng(seed)
        for number in range(int(SECONDS * fps)):
            time = number / fps
            lit = any(0 <= time - at < 0.12 for at in times)
            picture = window(20 * np.sin(0.7 * time), 8 * np.sin(0.5 * time)).astype(np.int16)
            yield _grained(picture + 60 * lit, rng)

    return Clip(name, True, True, fps, frames, lambda: _knocks(seed, times))


def _talk(name: str, voice: int, lips: int | None) -> Clip:
    """A face whose mouth opens with a voice's loudness, 40 ms ahead of it, and whose head moves a little."""
    fps = 25

    def spoken(first: int) -> Wave:
        return np.concatenate([speech(SPEECH[(first + more) % len(SPEECH)]) for more in range(2)])

    def frames() -> Iterator[Picture]:
        rng = np.random.default_rng(voice)
        seconds = spoken(voice).size / RATE
        window = _photograph("astronaut.jpg", 3)
        loudness = None
        if lips is not None:
            square = np.resize(spoken(lips), int(seconds * RATE)) ** 2
            loudness = np.sqrt(np.convolve(square, np.full(RATE // 25, 25 / RATE), "same"))
            loudness /= np.quantile(loudness, 0.98)
        jaw = sway = 0.0
        for number in range(int(seconds * fps)):
            time = number / fps
            sway += rng.normal(0, 0.4) - 0.1 * sway
            picture = window(4 * np.sin(1.3 * time) + sway, 3 * np.sin(0.9 * time))
            if loudness is not None:
                at = min(int((time + 0.04) * RATE), loudness.size - 1)
                jaw += 0.6 * (min(loudness[at], 1.2) - jaw)
                picture[140 : 142 + int(14 * jaw), 134:166] = (60, 20, 20)
            yield _grained(picture, rng)

    return Clip(name, voice == lips, False, fps, frames, lambda: spoken(voice))
