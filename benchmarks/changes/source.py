"""Eight seconds of pictures and sound that say what time it is, in halves that differ as a case wants.

Every frame shows its number as ten bars in its upper half; second k of the sound is a tone of 300 + 60 k Hz
that begins with a chirp of its own.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

FPS = 25
HALF = 4  # seconds
SECONDS = 2 * HALF
BARS = 10
CHIRP_SECONDS = 0.1

Picture = npt.NDArray[np.uint8]
Waveform = npt.NDArray[np.float32]


def picture(number: int, width: int, height: int) -> Picture:
    """uint8 [height, width, 3]: bar b of the upper half is bit b; below, a texture that moves."""
    bits = np.array([255 * (number >> bit & 1) for bit in range(BARS)], np.uint8)
    out = np.zeros((height, width, 3), np.uint8)
    out[: height // 2] = bits[np.arange(width) * BARS // width][None, :, None]
    rows, columns = np.mgrid[: height - height // 2, :width]
    out[height // 2 :, :, :] = (((columns + 3 * number) // 8 + rows // 8) % 2 * 150 + 50)[..., None]
    return out


def pictures(first: int, last: int, width: int, height: int) -> bytes:
    """Raw RGB of the frames `first` to `last`, exclusive."""
    return b"".join(picture(number, width, height).tobytes() for number in range(first, last))


@lru_cache(maxsize=8)
def sound(rate: int) -> Waveform:
    """float32 [SECONDS * rate]."""
    time = np.arange(SECONDS * rate) / rate
    second = np.floor(time)
    local = time - second
    tone = 0.3 * np.sin(2 * np.pi * (300 + 60 * second) * time)
    rise = 2 * np.pi * ((300 + 150 * second) * local + 9000 * local**2)
    return np.where(local < CHIRP_SECONDS, 0.5 * np.sin(rise), tone).astype(np.float32)


def number_of(shown: Picture) -> int:
    """The number that a decoded picture of any size shows."""
    height, width = shown.shape[:2]
    row = shown[height // 8 : height * 3 // 8].mean(axis=(0, 2))
    edges = [width * bit // BARS for bit in range(BARS + 1)]
    inset = max(1, width // 50)
    bars = [row[left + inset : right - inset].mean() for left, right in pairwise(edges)]
    return sum(int(bar > 128) << bit for bit, bar in enumerate(bars))


def second_of(heard: Waveform) -> float | None:
    """Which second's tone a stretch of 16 kHz sound is, to a tenth; None: silence."""
    if heard.size < 4000 or np.abs(heard).max() < 0.02:
        return None
    middle = heard[heard.size // 3 : -heard.size // 10]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(middle.size), 1 << 17))
    return round((float(spectrum.argmax()) * 16_000 / (1 << 17) - 300) / 60, 1)


def lag_seconds(heard: Waveform, second: int, around: float) -> float:
    """How much later than at `second` its chirp is heard in a waveform of 16 kHz, looked for within 0.4 s of
    where it should be and `around`."""
    truth = sound(16_000)[second * 16_000 : second * 16_000 + round(CHIRP_SECONDS * 16_000)]
    first = max(0, round((second + around - 0.4) * 16_000))
    window = heard[first : first + round(0.8 * 16_000) + truth.size]
    if window.size < truth.size:
        return float("nan")
    energy = np.sqrt(np.convolve(window.astype(np.float64) ** 2, np.ones(truth.size), "valid") + 1e-3)
    peak = int((np.correlate(window, truth, "valid") / energy).argmax())
    return (first + peak) / 16_000 - second
