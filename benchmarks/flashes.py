"""Pictures and sound that say what time it is: every frame carries its number, every flash its beep."""

from __future__ import annotations

import subprocess
import wave
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 160, 120
BARS = 8  # the frame's number in binary, a bar a bit
SECONDS = 5
BEEP_SECONDS = 0.08

Waveform = npt.NDArray[np.float32]


def ffmpeg(*arguments: object, stdin: bytes | None = None) -> bytes:
    """Run the ffmpeg command; its standard output.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin" if stdin is None else "-y", "-y"]
    done = subprocess.run([*command, *map(str, arguments)], input=stdin, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"ffmpeg {' '.join(map(str, arguments))}: {done.stderr.decode()[-800:]}")
    return done.stdout


def events(seed: int, seconds: int = SECONDS) -> npt.NDArray[np.float64]:
    """Seconds at which it flashes and beeps, at whole multiples of 1/25 s."""
    generator = np.random.default_rng(seed)
    starts = np.arange(0.32, seconds - 0.6, 0.9)
    return np.round((starts + generator.uniform(0, 0.5, starts.size)) * 25) / 25


def frames(rate: float, seed: int, seconds: int = SECONDS) -> npt.NDArray[np.uint8]:
    """uint8 [frames, H, W, 3]: bars above, a moving texture below that turns white in a flash."""
    count = round(seconds * rate)
    generator = np.random.default_rng(seed)
    texture = (
        generator.integers(30, 200, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8).repeat(4, 0).repeat(8, 1)
    )
    out = np.zeros((count, HEIGHT, WIDTH, 3), np.uint8)
    flashes = events(seed, seconds)
    for number in range(count):
        bits = [255 * (number >> bit & 1) for bit in range(BARS)]
        out[number, : HEIGHT // 2] = np.repeat(bits, WIDTH // BARS)[None, :, None]
        flash = ((flashes <= number / rate + 1e-6) & (number / rate < flashes + BEEP_SECONDS)).any()
        out[number, HEIGHT // 2 :] = 255 if flash else np.roll(texture, number, axis=1)
    return out


def number_of(picture: npt.NDArray[np.uint8]) -> int:
    """The frame number that a decoded picture of any size shows."""
    height, width = picture.shape[:2]
    rows = picture[height // 8 : height * 3 // 8].mean(axis=(0, 2))
    bars = [
        rows[width * bit // BARS + width // 32 : width * (bit + 1) // BARS - width // 32]
        for bit in range(BARS)
    ]
    return sum(int(bar.mean() > 128) << bit for bit, bar in enumerate(bars))


def sound(rate: int, seed: int, seconds: int = SECONDS) -> Waveform:
    """float32 [samples]: a chirp at every event over faint noise."""
    time = np.arange(seconds * rate) / rate
    out = np.random.default_rng(seed).normal(0, 1e-3, time.size)
    top = 2600  # every rate from 8 kHz up can carry it
    for start in events(seed, seconds):
        local = time - start
        inside = (local >= -1e-9) & (local < BEEP_SECONDS)
        phase = 2 * np.pi * (300 * local + (top - 300) / BEEP_SECONDS / 2 * local**2)
        out[inside] += 0.5 * np.sin(phase[inside])
    return out.astype(np.float32)


@lru_cache(maxsize=4)
def reference(seed: int) -> Waveform:
    """The sound at 16 kHz."""
    return sound(16_000, seed)


def lag_seconds(heard: Waveform, seed: int) -> float:
    """By how much `heard` (16 kHz) comes later than it should."""
    truth = reference(seed)
    size = 1 << int(heard.size + truth.size).bit_length()
    product = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(truth, size))
    correlation = np.fft.irfft(product, size)
    peak = int(np.argmax(correlation))
    return (peak if peak < size // 2 else peak - size) / 16_000


def write_wav(path: Path, samples: Waveform, rate: int, channels: int) -> None:
    """16-bit PCM, the same sound in every channel."""
    values = np.repeat((samples * 32767).astype("<i2")[:, None], channels, axis=1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(values.tobytes())


@dataclass(frozen=True)
class Shown:
    """What ffmpeg's full decode shows: presentation times as in the container, and the pictures."""

    pts_seconds: npt.NDArray[np.float64]
    pictures: npt.NDArray[np.uint8]


def full_decode(path: Path, width: int = WIDTH, height: int = HEIGHT) -> Shown:
    """Decode with the ffmpeg command, every frame, timestamps untouched."""
    raw = path.with_suffix(path.suffix + ".rgb")
    common = ["-map", "0:v:0", "-fps_mode", "passthrough", "-enc_time_base", "demux"]
    table = ffmpeg(
        "-copyts", "-i", path,
        *common, "-vf", f"scale={width}:{height}", "-pix_fmt", "rgb24", "-f", "rawvideo", raw,
        *common, "-c:v", "rawvideo", "-f", "framecrc", "-",
    ).decode()  # fmt: skip
    base = next(line for line in table.splitlines() if line.startswith("#tb 0:")).split(":")[1]
    numerator, denominator = map(int, base.split("/"))
    ticks = [int(line.split(",")[2]) for line in table.splitlines() if not line.startswith("#")]
    pictures = np.fromfile(raw, np.uint8).reshape(-1, height, width, 3)
    raw.unlink()
    return Shown(np.array(ticks) * numerator / denominator, pictures)
