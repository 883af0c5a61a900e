"""Whisper's log-mel spectrogram of many windows at once."""

from __future__ import annotations

import torch
from torch import Tensor
from whisper.audio import HOP_LENGTH, N_FFT, log_mel_spectrogram, mel_filters


def log_mel(waves: Tensor, mels: int) -> Tensor:
    """[n, mels, frames] of float32 [n, samples]: what log_mel_spectrogram makes of each row by itself.

    Of several rows it would clamp all to the loudest of them. On a CPU it is called a row at a time; on a GPU
    its steps are taken for all rows together: one by one, starting its kernels cost more than they do.
    """
    if waves.device.type == "cpu":
        return torch.stack([log_mel_spectrogram(wave, mels) for wave in waves])
    return together(waves, mels)


def together(waves: Tensor, mels: int) -> Tensor:
    """The same, all rows at once."""
    window = torch.hann_window(N_FFT, device=waves.device)
    spectrum = torch.stft(waves, N_FFT, HOP_LENGTH, window=window, return_complex=True)
    magnitudes = spectrum[..., :-1].abs() ** 2
    log_spec = (mel_filters(waves.device, mels) @ magnitudes).clamp(min=1e-10).log10()
    log_spec = torch.maximum(log_spec, log_spec.amax(dim=(-2, -1), keepdim=True) - 8.0)
    return (log_spec + 4.0) / 4.0
