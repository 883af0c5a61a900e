"""Black bars around the picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from signals.picture.black import is_black
from signals.picture.small import FRAMES, NAME
from signals.signal import NOTHING, Measured, Pictures, Signal

BAR = 24  # a row or column whose mean luma never passes this is a bar: cropdetect's default limit


def _letterbox(pictures: Pictures) -> Measured:
    small = pictures.made.get(NAME)
    if small is None or not pictures.seen.size:
        return NOTHING
    seen = small[np.unique(pictures.frame_of_step[pictures.seen])]
    lit = seen[~is_black(seen)]
    if not lit.size:
        return NOTHING
    covered = [_inside(lit.mean(axis=other).max(axis=0)) for other in (2, 1)]
    return Measured(1 - covered[0] * covered[1])


def _inside(brightest: npt.NDArray[np.float64]) -> float:
    """The share between the bars at both ends."""
    inside = np.flatnonzero(brightest > BAR)
    return float(inside[-1] - inside[0] + 1) / brightest.size if inside.size else 1.0


SIGNAL = Signal(
    name="letterbox",
    unit="share of the picture's area that bars cover; null where all is black",
    resolution="1/128 of a side; over the span",
    tolerance="0.02",
    source="rows and columns at the edges whose mean luma stays at or below 24 of 255 in every frame that "
    "is not black, the default of FFmpeg's cropdetect",
    of_pictures=_letterbox,
    frames=FRAMES,
)
