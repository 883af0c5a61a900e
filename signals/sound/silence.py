"""How much of the sound is none."""

from __future__ import annotations

import numpy as np

from schemas.grid import SAMPLE_RATE
from signals.signal import NOTHING, Measured, Signal, Sound

WINDOW = SAMPLE_RATE // 50  # 20 ms, a Whisper vector
SILENT = 10 ** (-60 / 20)  # silencedetect's default noise


def _silence(sound: Sound) -> Measured:
    windows = sound.heard.size // WINDOW
    if not windows:
        return NOTHING
    power = np.square(sound.heard[: windows * WINDOW]).reshape(windows, WINDOW).mean(axis=1)
    return Measured(float((power < SILENT**2).mean()))


SIGNAL = Signal(
    name="silence_share",
    unit="share of the sound's time",
    resolution="20 ms",
    tolerance="0.02",
    source="windows softer than -60 dBFS rms, the default of FFmpeg's silencedetect",
    of_sound=_silence,
)
