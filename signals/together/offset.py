"""Whether sound and pictures move together, and by how much one lies behind the other.

How loud the sound is, and where it begins, is correlated at every lag with movement in each part of the
picture. The parts that fit a lag best speak for it: a mouth, a hand. Lags that no camera has say what chance
gives. Who speaks moves the mouth before the voice is heard (100 to 300 ms: Chandrasekaran et al., The natural
statistics of audiovisual speech, PLoS Computational Biology 2009).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from schemas.grid import SAMPLE_RATE
from signals.signal import Film
from signals.sound.speech import SPEAKS, probabilities

RATE = 100  # a second: on which both are compared
FARTHEST = 60  # of those: offsets are looked for within 0.6 s,
CHANCE = 200  # and what lies up to 2 s on either side says what chance gives
ALIKE = 15  # lags this close belong to one peak
BLUR = 4  # of them: a frame's length
SLOW = 50  # what changes more slowly than this, a pan or a sentence's melody, says nothing
LEAST_S = 4.0  # less says nothing
SIDE = 16  # movement is looked at in 16 by 16 parts, of
BEST = 8  # which the best count
FAINT_PART = 0.15  # of the usual movement: a part that moves less does not
NOISE = 2.0  # levels of 8-bit luma: what changes less is the camera's or the codec's noise
FAINT = 1e-3  # of full scale: sound that never passes this is silence
WINDOW = 512  # samples of a spectrum
VOICE = slice(10, 100)  # of its lines: 300 to 3100 Hz
BANDS = 24
HALF_FRAME = -2  # by how many lags a movement is seen late, with the later of two frames; but
SPEECH_LEAD = 9  # a mouth is ahead, where more than half of the time somebody speaks
LEAST_CONFIDENCE = 3.9  # of what does not belong, 1 to 3 in 100 pass (benchmarks/signals)
LEAST_MARGIN = 0.03  # by how much the next best lag is worse: what strikes evenly fits several

Array = npt.NDArray[np.float32]
Spectra = npt.NDArray[np.complex64]


@dataclass(frozen=True)
class Offset:
    """`ms`: by how much the sound lies behind the picture (positive: it is late), None: cannot tell.

    `confidence`: by how many deviations of chance the best lag fits better than others; None: there was
    nothing to compare.
    """

    ms: float | None
    confidence: float | None


UNKNOWN = Offset(None, None)


@lru_cache(maxsize=1)  # two signals ask
def offset(film: Film) -> Offset:
    """Of one span."""
    if film.sound is None or len(film.frames) < 2:
        return UNKNOWN
    wave = film.sound.waveform
    steps = int(min(wave.size / SAMPLE_RATE, film.times_s[-1]) * RATE)
    if steps < LEAST_S * RATE or np.abs(wave).max() < FAINT:
        return UNKNOWN
    moves = _moves(film, steps)
    if not moves.size:
        return UNKNOWN
    begins = np.maximum(np.diff(moves, axis=0, prepend=moves[:1]), 0)
    row = np.searchsorted(film.times_s[1:], np.arange(steps) / RATE, side="right")
    shown = np.clip(
        row - 1, 0, len(moves) - 1
    )  # what changes from one frame to the next is seen with the next
    spectra = _spectra(wave, steps)
    loud, onsets = _loudness(spectra), _onsets(spectra)
    moving = _filtered(moves[shown], slow=False)
    lags = np.arange(-min(CHANCE, steps // 3), min(CHANCE, steps // 3) + 1)
    fit = (
        _fit(_filtered(loud, slow=False), moving, lags)
        + _fit(_filtered(onsets, slow=False), moving, lags - 5)  # it rises before it is loudest, and
        + _fit(_filtered(onsets, slow=True), _filtered(begins[shown], slow=True), lags - 4)  # quickest
    ) / np.sqrt(1 - np.abs(lags) / steps)  # as much of the sound lies beside the pictures
    lead = SPEECH_LEAD if (probabilities(wave) >= SPEAKS).mean() > 0.5 else HALF_FRAME
    return _told(lags - lead, np.asarray(fit, np.float32))


def _told(lags: npt.NDArray[np.int64], fit: Array) -> Offset:
    near = np.flatnonzero((np.abs(lags) <= FARTHEST) & (np.arange(len(lags)) > 0) & (lags < lags[-1]))
    best = near[np.argmax(fit[near])]
    others = fit[np.abs(lags - lags[best]) > ALIKE]
    confidence = float((fit[best] - others.mean()) / (others.std() + 1e-9))
    told = confidence >= LEAST_CONFIDENCE and fit[best] - others.max() >= LEAST_MARGIN
    return Offset(_between(lags, fit, best) * 1000 / RATE if told else None, confidence)


def _loudness(spectra: Array) -> Array:
    """[steps]: the logarithm of the power in the voice's band."""
    power = spectra[:, VOICE].sum(axis=1)
    return np.asarray(np.log(power + 1e-4 * np.median(power) + 1e-4))


def _onsets(spectra: Array) -> Array:
    """[steps]: how much the spectrum rises (spectral flux of the logarithm)."""
    edges = np.unique(np.geomspace(2, WINDOW // 2, BANDS + 1).astype(int))
    bands = np.log(np.add.reduceat(spectra, edges[:-1], axis=1) + 1e-3)
    return np.asarray(np.maximum(np.diff(bands, axis=0, prepend=bands[:1]), 0).mean(axis=1))


def _spectra(wave: npt.NDArray[np.float32], steps: int) -> Array:
    """[steps, 257]: power."""
    hop = SAMPLE_RATE // RATE
    padded = np.pad(wave[: steps * hop], (WINDOW // 2, WINDOW))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::hop][:steps]
    return np.asarray(np.abs(np.fft.rfft(windows * np.hanning(WINDOW).astype(np.float32))) ** 2)


def _moves(film: Film, steps: int) -> Array:
    """[m - 1, parts]: movement from each frame to the next, of the parts that move at all."""
    size = film.frames.shape[1] // SIDE
    change = np.abs(np.diff(film.frames.astype(np.int16), axis=0)).astype(np.float32)
    parts = np.maximum(change - NOISE, 0).reshape(-1, SIDE, size, SIDE, size).mean(axis=(2, 4))
    moves = np.sqrt(parts).reshape(len(parts), -1)
    spread = moves.std(axis=0)
    alive = spread[spread > 0]
    return np.asarray(moves[:, spread > FAINT_PART * np.median(alive)] if alive.size else moves[:, :0])


def _filtered(series: Array, *, slow: bool) -> Spectra:
    """The spectrum of [steps] or [steps, parts], each of mean 0 and power 1: blurred by a frame's length, and
    unless `slow` without what changes slowly."""
    size = 1 << (len(series) + CHANCE + 4 * SLOW).bit_length()
    turns = np.fft.rfftfreq(size).astype(np.float32)
    response = np.exp(-0.5 * (2 * np.pi * turns * BLUR) ** 2)
    response = response if slow else response * (1 - np.exp(-0.5 * (np.pi * turns * SLOW) ** 2))
    centred = np.asarray(series - series.mean(axis=0), np.float32)
    found = (np.fft.rfft(centred, size, axis=0).T * response).T
    power = (np.abs(found) ** 2).sum(axis=0) * 2 / size
    return np.asarray(found / np.sqrt(power + 1e-12), np.complex64)


def _fit(heard: Spectra, seen: Spectra, lags: npt.NDArray[np.int64]) -> Array:
    """[lags]: the mean correlation of the parts that fit each lag best."""
    size = 2 * (len(heard) - 1)
    correlations = np.fft.irfft(heard[:, None] * np.conj(seen), size, axis=0)[lags]
    best = min(BEST, correlations.shape[1])
    return np.asarray(np.partition(correlations, -best, axis=1)[:, -best:].mean(axis=1), np.float32)


def _between(lags: npt.NDArray[np.int64], fit: Array, at: int) -> float:
    """The peak's place, by the parabola through it and its neighbours."""
    before, peak, after = fit[at - 1 : at + 2]
    bend = before - 2 * peak + after
    return float(lags[at] + (0.5 * (before - after) / bend if bend < 0 else 0))
