"""What each encoder is given, pinned: other inputs want another version in the fingerprint.

Where one of these changes, raise the name beside it (`Fingerprint.preprocessing`) and only then the pin:
features made of other inputs must not share a cache key.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pytest
import torch

from featurizers.featurizer import Arithmetic
from featurizers.vision.clip import ClipFeaturizer
from featurizers.whisper.description import WhisperFeaturizer
from featurizers.whisper.log_mel import log_mel

CPU = Arithmetic("cpu", "float32")


def scene(width: int, height: int) -> npt.NDArray[np.uint8]:
    """Slopes, edges and noise, everywhere the same."""
    rows, columns = np.mgrid[:height, :width]
    state = (rows * 1103515245 + columns * 12345 + 42) % 2147483648  # no library's generator
    noise = state // 65536 % 256
    edges = np.where((rows // 9 + columns // 5) % 2, 250, 5)
    slope = (rows + 2 * columns) % 256
    picture = np.where(rows < height // 2, np.where(columns < width // 2, slope, edges), noise)
    return np.stack([picture, picture[::-1], 255 - picture], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ("version", "fit", "size", "digest"),
    [
        ("clip-crop-1", "crop", (320, 180), "0e2573d306509f1b"),
        ("clip-crop-1", "crop", (90, 160), "5eb4b0f5a9a6a867"),
        ("clip-squash-1", "squash", (320, 180), "b90a326e3697134d"),
    ],
)
def test_pictures(version: str, fit: str, size: tuple[int, int], digest: str) -> None:
    featurizer = ClipFeaturizer("random:vit-b-32", CPU, fit)
    assert featurizer.fingerprint().preprocessing == version
    made = featurizer.frame_transform()(scene(*size))
    assert isinstance(made, np.ndarray)
    assert hashlib.sha256(made.tobytes()).hexdigest()[:16] == digest


def test_sound() -> None:
    """Floats: pinned to what any FFT gives alike."""
    assert WhisperFeaturizer("random:tiny", CPU).fingerprint().preprocessing == "log-mel-30s-1"
    time = np.arange(480_000) / 16_000
    wave = (0.4 * np.sin(2 * np.pi * (200 + 60 * time) * time) * (time % 1 < 0.7)).astype(np.float32)
    mel = log_mel(torch.from_numpy(wave)[None], 80)[0].numpy()
    assert mel.shape == (80, 3000)
    np.testing.assert_allclose(mel[::16, ::700], PINNED_MEL, atol=2e-3)


PINNED_MEL = [
    [1.1224, 0.5916, 0.4558, 0.3635, 0.2872],
    [0.6259, 0.6957, 0.4831, 0.3769, 0.2954],
    [0.3090, 0.7589, 0.5882, 0.4179, 0.3180],
    [0.0509, 0.3019, 0.6034, 0.6767, 0.4268],
    [-0.1777, 0.0398, 0.1950, 0.3291, 0.5103],
]
