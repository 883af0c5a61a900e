"""The loudest sample."""

from __future__ import annotations

import numpy as np

from signals.signal import NOTHING, Measured, Signal, Sound
from signals.sound.level import decibels


def _peak(sound: Sound) -> Measured:
    if not sound.heard.size:
        return NOTHING
    return Measured(decibels(float(np.abs(sound.heard).max()) ** 2))


SIGNAL = Signal(
    name="peak_dbfs",
    unit="dB re full scale; lossy sound may pass 0",
    resolution="the span",
    tolerance="0.2 dB below 7 kHz",
    source="largest sample of the mono mix at 16 kHz (no true peak: that would need the medium's own rate)",
    of_sound=_peak,
)
