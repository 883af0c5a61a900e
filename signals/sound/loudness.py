"""How loud people find the sound: integrated loudness, ITU-R BS.1770-5.

torchaudio's `loudness` took seven times as long (0.21 s for 30 s of sound).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from schemas.grid import SAMPLE_RATE
from signals.signal import NOTHING, Measured, Signal, Sound

HOP = SAMPLE_RATE // 10  # blocks of 400 ms overlap by three quarters
BLOCK_HOPS = 4
OFFSET_LU = -0.691
ABSOLUTE_LUFS = -70.0
RELATIVE_LU = -10.0
SETTLE = SAMPLE_RATE  # samples of zeros behind the sound: the filter's tail must not come round to its start

# The standard's two filters, above and below the fraction, in powers of z^-1 at 48 kHz.
RATE = 48_000
SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))


def _loudness(sound: Sound) -> Measured:
    hops = sound.heard.size // HOP
    if hops < BLOCK_HOPS:
        return NOTHING
    energy = np.square(_weighted(sound.heard)[: hops * HOP]).reshape(hops, HOP).mean(axis=1)
    blocks = np.convolve(energy, np.full(BLOCK_HOPS, 1 / BLOCK_HOPS), "valid")
    loud = blocks[_lufs(blocks) > ABSOLUTE_LUFS]
    if not loud.size:
        return NOTHING
    loud = loud[_lufs(loud) > _lufs(loud.mean()) + RELATIVE_LU]
    return Measured(float(_lufs(loud.mean())))


def _lufs(energy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return OFFSET_LU + 10 * np.log10(np.maximum(energy, 1e-12))


def _weighted(wave: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    size = _quick_size(wave.size + SETTLE)
    weighted: npt.NDArray[np.float64] = np.fft.irfft(np.fft.rfft(wave, size) * _response(size), size)[
        : wave.size
    ]
    return weighted


def _quick_size(least: int) -> int:
    """An even length whose Fourier transform is quick: 2, 3 or 5 times a power of two."""
    powers = 1 << (least - 1).bit_length()
    return min(size for size in (powers, powers * 5 // 8, powers * 3 // 4) if size >= least)


@lru_cache(maxsize=4)
def _response(size: int) -> npt.NDArray[np.complex64]:
    """complex64 [size / 2 + 1]: of both filters, for a transform of `size` of our samples."""
    turn = np.exp(-2j * np.pi * np.arange(size // 2 + 1) * SAMPLE_RATE / (size * RATE))  # z^-1
    response = np.ones_like(turn)
    for above, below in (SHELF, HIGH_PASS):
        response *= np.polyval(above[::-1], turn) / np.polyval(below[::-1], turn)
    return np.asarray(response, np.complex64)


SIGNAL = Signal(
    name="loudness_lufs",
    unit="LUFS of the mono mix (two equal channels played as stereo read 3 LU more); null below -70",
    resolution="the span, blocks of 400 ms",
    tolerance="0.2 LU below 7 kHz",
    source="ITU-R BS.1770-5, integrated",
    of_sound=_loudness,
)
