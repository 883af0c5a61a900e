"""How much the picture moves."""

from __future__ import annotations

import numpy as np

from signals.picture.cuts import changes, cut_steps
from signals.picture.small import FRAMES
from signals.signal import NOTHING, Measured, Pictures, Signal


def _motion(pictures: Pictures) -> Measured:
    found = changes(pictures)
    luma = found.luma
    if pictures.still or np.isnan(luma).all():
        return NOTHING
    luma[cut_steps(found)] = np.nan
    if np.isnan(luma).all():
        return NOTHING
    return Measured(float(np.nanmean(luma)), luma.astype(np.float32))


SIGNAL = Signal(
    name="motion",
    unit="mean absolute change of luma, 0 to 1, in 0.5 s; cuts left out; null for a still image",
    resolution="0.5 s; a step",
    tolerance="0.005",
    source="FFmpeg's signalstats, YDIF, on the grid's frames at 128 by 128 pixels",
    series=True,
    of_pictures=_motion,
    frames=FRAMES,
)
