"""Whisper's log-mel for a picture of it, without torch, whose import takes as long as the rest of a page."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

_MELS, _FFT, _HOP = 80, 400, 160  # samples at 16 kHz (whisper/audio.py)


def log_mel(waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """float32 [80, n // 160] of float32 [n]: what whisper.audio.log_mel_spectrogram makes of it."""
    padded = np.pad(waveform, _FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP][:-1]
    hann = np.hanning(_FFT + 1)[:-1].astype(np.float32)  # periodic, as torch.hann_window
    power = np.abs(np.fft.rfft(frames * hann, axis=1)) ** 2
    level = np.log10(np.maximum(_filters() @ power.T, 1e-10))
    return np.asarray((np.maximum(level, level.max() - 8.0) + 4.0) / 4.0, np.float32)


@cache
def _filters() -> npt.NDArray[np.float32]:
    """float32 [80, 201], out of the package without importing it."""
    spec = find_spec("whisper")
    assert spec is not None
    assert spec.submodule_search_locations
    with np.load(Path(spec.submodule_search_locations[0], "assets", "mel_filters.npz")) as stored:
        return np.asarray(stored[f"mel_{_MELS}"], np.float32)
