"""How much the picture moves."""

from __future__ import annotations

import numpy as np

from signals.picture.cuts import cut_steps
from signals.picture.difference import differences
from signals.picture.small import FRAMES
from signals.signal import NOTHING, Measured, Pictures, Signal


def _motion(pictures: Pictures) -> Measured:
    changes = differences(pictures)
    if pictures.still or np.isnan(changes).all():
        return NOTHING
    changes[cut_steps(pictures)] = np.nan
    if np.isnan(changes).all():
        return NOTHING
    return Measured(float(np.nanmean(changes)), changes.astype(np.float32))


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
