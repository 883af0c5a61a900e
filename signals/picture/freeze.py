"""How much of the time the picture stands still."""

from __future__ import annotations

import numpy as np

from signals.picture.difference import differences
from signals.picture.small import FRAMES
from signals.signal import NOTHING, Measured, Pictures, Signal

STILL = 0.001  # freezedetect's default noise, -60 dB


def _freeze(pictures: Pictures) -> Measured:
    changes = differences(pictures)
    known = changes[~np.isnan(changes)]
    if pictures.still or not known.size:
        return NOTHING
    return Measured(float((known < STILL).mean()))


SIGNAL = Signal(
    name="freeze_share",
    unit="share of the steps whose frame and the one before it are known; null for a still image",
    resolution="0.5 s",
    tolerance="two steps of the span",
    source="luma changes by less than 0.001 of full scale on average, the default of FFmpeg's freezedetect",
    of_pictures=_freeze,
    frames=FRAMES,
)
