"""How much of the time there is nothing to be seen."""

from __future__ import annotations

import numpy as np

from signals.picture.small import FRAMES, NAME
from signals.signal import NOTHING, Measured, Pictures, Signal

DARK = 0.10 * 255  # a dark pixel, and
MOSTLY = 0.98  # how many of them make a black picture: blackdetect's defaults


def is_black(small: np.ndarray) -> np.ndarray:
    """bool [n], of [n, 128, 128]."""
    black: np.ndarray = (small < DARK).mean(axis=(1, 2)) >= MOSTLY
    return black


def _black(pictures: Pictures) -> Measured:
    if not pictures.seen.size:
        return NOTHING
    return Measured(float(np.nanmean(pictures.spread(is_black(pictures.made[NAME])))))


SIGNAL = Signal(
    name="black_share",
    unit="share of the steps that have a frame",
    resolution="the grid's frames",
    tolerance="one step of the span",
    source="98 % of the pixels darker than 10 %, the defaults of FFmpeg's blackdetect",
    of_pictures=_black,
    frames=FRAMES,
)
