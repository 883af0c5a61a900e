from __future__ import annotations

import numpy as np
import torch
from whisper.audio import log_mel_spectrogram

from report.log_mel import log_mel


def test_it_is_whispers() -> None:
    waveform = np.random.default_rng(0).standard_normal(40_123).astype(np.float32) / 10
    waveform[20_000:] = 0
    whispers = log_mel_spectrogram(torch.from_numpy(waveform), 80).numpy()
    ours = log_mel(waveform)
    assert ours.dtype == np.float32
    assert ours.shape == whispers.shape
    assert np.abs(ours - whispers).max() < 1e-5
