"""Whether sound and pictures strike together, and by how much one lies behind the other.

Onsets of the sound are correlated, at every lag, with what strikes the eye: movement that begins or stops at
once, and flashes. The lags that no camera has say what chance gives. Lips are too soft for this: speech alone
ends as "cannot tell".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.grid import SAMPLE_RATE

RATE = 100  # a second: on which both are compared
FARTHEST = 60  # of those: offsets are looked for within 0.6 s,
CHANCE = 200  # and what lies from there to 2 s on either side is chance
ALIKE = 12  # lags this close belong to one peak
BLUR = 4  # of them: a frame's length
LEAST_S = 4.0  # less says nothing
SIDE = 64  # rows and columns of a frame
PARTS = 8  # movement is looked at in 8 by 8 parts
NOISE = 2.0  # levels of 8-bit luma: what changes less is the camera's or the codec's noise
FAINT = 1e-3  # of full scale: sound that never passes this is silence
WINDOW = 512  # samples of a spectrum
BANDS = 24
LEAST_FIT = 4.0  # deviations from chance, and
LEAST_CONFIDENCE = 0.2  # by how much the next best lag is worse: calibrated by benchmarks/signals

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Offset:
    """`ms`: by how much the sound lies behind the picture (positive: it is late), None: cannot tell;
    `confidence`: from 0, another lag fits as well or none does, to 1."""

    ms: float | None
    confidence: float


UNKNOWN = Offset(None, 0.0)


def offset(waveform: npt.NDArray[np.float32], frames: npt.NDArray[np.uint8], times_s: Array) -> Offset:
    """Of one stretch.

    Args:
        waveform: float32 [n], mono, 16 kHz, from time zero on.
        frames: uint8 [m, 64, 64], luma, every frame of the stretch.
        times_s: float64 [m], ascending: when each of them appears.
    """
    steps = int(min(waveform.size / SAMPLE_RATE, times_s[-1] if len(times_s) else 0) * RATE)
    if steps < LEAST_S * RATE or np.abs(waveform).max() < FAINT:
        return UNKNOWN
    heard = _blurred(_onsets(waveform, steps))
    lags = np.arange(-CHANCE, CHANCE + 1)
    told = [_told(lags, _fit(heard, _blurred(one), lags)) for one in _strikes(frames, times_s, steps)]
    return max(told, key=lambda one: one.confidence)


def _told(lags: npt.NDArray[np.int64], fit: Array) -> Offset:
    near = np.flatnonzero(np.abs(lags) <= FARTHEST)
    best = near[np.argmax(fit[near])]
    if fit[best] < LEAST_FIT:
        return UNKNOWN
    others = fit[np.abs(lags - lags[best]) > ALIKE].max()
    confidence = float(np.clip(1 - others / fit[best], 0, 1))
    ms = _between(lags, fit, best) * 1000 / RATE
    return Offset(ms if confidence >= LEAST_CONFIDENCE else None, confidence)


def _onsets(waveform: npt.NDArray[np.float32], steps: int) -> Array:
    """float64 [steps]: how much the spectrum rises (spectral flux of the logarithm)."""
    hop = SAMPLE_RATE // RATE
    padded = np.pad(waveform[: steps * hop], (WINDOW // 2, WINDOW))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::hop][:steps]
    power = np.abs(np.fft.rfft(windows * np.hanning(WINDOW))) ** 2
    edges = np.unique(np.geomspace(2, WINDOW // 2, BANDS + 1).astype(int))
    bands = np.log(np.add.reduceat(power, edges[:-1], axis=1) + 1e-3)
    return np.asarray(np.maximum(np.diff(bands, axis=0, prepend=bands[:1]), 0).mean(axis=1))


def _strikes(frames: npt.NDArray[np.uint8], times_s: Array, steps: int) -> tuple[Array, Array]:
    """float64 [steps], twice: movement that begins or stops at once, and what brightens the whole picture."""
    change = np.diff(frames.astype(np.float32), axis=0)
    moves = np.sqrt(_parts(np.maximum(np.abs(change) - NOISE, 0)))
    begins = _salient(np.maximum(np.diff(moves, axis=0, prepend=moves[:1]), 0))
    stops = _salient(np.maximum(np.diff(-moves, axis=0, append=-moves[-1:]), 0))
    brighter = np.maximum(np.median(_parts(change), axis=1, keepdims=True), 0)
    # What changes from one frame to the next happened between the two.
    row = np.searchsorted(times_s, np.arange(steps) / RATE, side="right") - 1
    shown = np.clip(row, 0, len(change) - 1)
    jerks = (begins**2).sum(axis=1) + (stops**2).sum(axis=1)
    flashes = np.sqrt((_salient(brighter) ** 2).sum(axis=1))
    return np.where(row >= 0, jerks[shown], 0), np.where(row >= 0, flashes[shown], 0)


def _parts(pictures: npt.NDArray[np.float32]) -> Array:
    """float64 [m, 64]: means of 8 by 8 parts."""
    size = SIDE // PARTS
    parts = pictures.reshape(-1, PARTS, size, PARTS, size).mean(axis=(2, 4))
    return np.asarray(parts.reshape(-1, PARTS * PARTS), np.float64)


def _salient(series: Array) -> Array:
    """By how many deviations, past three, each value stands out from its part's usual ones."""
    usual = np.median(series, axis=0)
    spread = 1.4826 * np.median(np.abs(series - usual), axis=0)
    return np.asarray(np.clip((series - usual) / (spread + 0.15) - 3, 0, 8))


def _blurred(series: Array) -> Array:
    reach = np.arange(-4 * BLUR, 4 * BLUR + 1)
    kernel = np.exp(-0.5 * (reach / BLUR) ** 2)
    return np.convolve(series, kernel / kernel.sum(), "same")


def _fit(heard: Array, seen: Array, lags: npt.NDArray[np.int64]) -> Array:
    """The correlation at each lag (of the sound behind the picture), in deviations from what chance gives."""
    size = 1 << (2 * len(heard)).bit_length()
    heard, seen = heard - heard.mean(), seen - seen.mean()
    sound, sight = np.fft.rfft(heard, size), np.fft.rfft(seen, size)
    fits = np.fft.irfft(sound * np.conj(sight), size)[lags]
    chance = fits[np.abs(lags) > FARTHEST + ALIKE]
    return np.asarray((fits - chance.mean()) / (chance.std() + 1e-9 * len(heard)))


def _between(lags: npt.NDArray[np.int64], fit: Array, at: int) -> float:
    """The peak's place, by the parabola through it and its neighbours."""
    before, peak, after = fit[at - 1 : at + 2]
    bend = before - 2 * peak + after
    return float(lags[at] + (0.5 * (before - after) / bend if bend < 0 else 0))
