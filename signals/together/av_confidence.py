"""How sure it is that sound and pictures move together."""

from __future__ import annotations

from signals.signal import Film, Measured, Signal
from signals.together.offset import offset


def _confidence(film: Film) -> Measured:
    return Measured(offset(film).confidence)


SIGNAL = Signal(
    name="av_confidence",
    unit="deviations of chance; an offset is told from 3.9 on; null without sound, movement or 4 s of both",
    resolution="the span",
    tolerance="3.9 or more in at most 5 of 100 spans whose sound is another's",
    source="how far the lag that fits best stands out of the others",
    of_film=_confidence,
)
