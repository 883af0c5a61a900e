"""How strong the sound is."""

from __future__ import annotations

from signals.signal import NOTHING, Measured, Signal, Sound
from signals.sound.level import decibels, mean_square


def _rms(sound: Sound) -> Measured:
    if not sound.heard.size:
        return NOTHING
    series = sound.by_step(lambda part: decibels(mean_square(part)))
    return Measured(decibels(mean_square(sound.heard)), series)


SIGNAL = Signal(
    name="rms_dbfs",
    unit="dB re full scale (a full-scale square wave is 0, a sine -3.01), not below -120",
    resolution="the span; a step",
    tolerance="0.1 dB",
    source="root mean square of the mono mix at 16 kHz",
    series=True,
    of_sound=_rms,
)
