"""What changes from one of the grid's frames to the next."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from signals.picture.small import NAME
from signals.signal import Pictures


def differences(pictures: Pictures) -> npt.NDArray[np.float64]:
    """float64 [steps]: mean absolute difference of luma, 0 to 1, from the step before; NaN where either of
    the two has no frame."""
    rows = pictures.frame_of_step
    found = np.full(rows.size, np.nan)
    small = pictures.made[NAME]
    for step in range(1, rows.size):
        before, now = rows[step - 1], rows[step]
        if before < 0 or now < 0:
            continue
        found[step] = 0.0
        if before != now:
            found[step] = np.abs(small[now].astype(np.int16) - small[before]).mean() / 255
    return found


def histograms(small: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """float64 [n, 32]: shares of brightnesses, of [n, 128, 128]."""
    shares = [np.bincount(one.ravel() >> 3, minlength=32) / one.size for one in small]
    return np.stack(shares) if shares else np.zeros((0, 32))
