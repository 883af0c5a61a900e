"""How bright the pictures are."""

from __future__ import annotations

import numpy as np

from signals.picture.small import FRAMES, NAME
from signals.signal import NOTHING, Measured, Pictures, Signal


def _brightness(pictures: Pictures) -> Measured:
    if not pictures.seen.size:
        return NOTHING
    series = pictures.spread(pictures.made[NAME].mean(axis=(1, 2)) / 255)
    return Measured(float(np.nanmean(series)), series)


SIGNAL = Signal(
    name="brightness",
    unit="mean luma, 0 (black) to 1 (white)",
    resolution="the grid's frames; a step",
    tolerance="0.01",
    source="BT.601 luma of the decoded RGB, full range (FFmpeg's signalstats: YAVG)",
    series=True,
    of_pictures=_brightness,
    frames=FRAMES,
)
