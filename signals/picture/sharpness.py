"""How sharp the pictures are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from signals.picture.small import luma
from signals.signal import NOTHING, Measured, Pictures, Signal

WINDOWS, SIDE = 4, 64  # 4 by 4 windows of 64 by 64 pixels
NAME = "signals.sharpness"


def laplacian(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """float32 []: variance of the Laplacian, at the picture's own size: of all of a small one, of windows
    spread over a large one."""
    height, width = picture.shape[:2]
    if height < WINDOWS * SIDE or width < WINDOWS * SIDE:
        edges = [_edges(luma(picture))]
    else:
        edges = [
            _edges(luma(picture[row : row + SIDE, column : column + SIDE]))
            for row in _starts(height)
            for column in _starts(width)
        ]
    found = np.concatenate([one.ravel() for one in edges])
    return np.asarray(found.var() if found.size else 0, np.float32)


def _starts(length: int) -> list[int]:
    return [int((number + 0.5) * length / WINDOWS - SIDE / 2) for number in range(WINDOWS)]


def _edges(bright: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    inner = bright[1:-1, 1:-1]
    found: npt.NDArray[np.float32] = (
        bright[:-2, 1:-1] + bright[2:, 1:-1] + bright[1:-1, :-2] + bright[1:-1, 2:] - 4 * inner
    )
    return found


def _sharpness(pictures: Pictures) -> Measured:
    if not pictures.seen.size:
        return NOTHING
    series = pictures.spread(pictures.made[NAME])
    return Measured(float(np.nanmedian(series)), series)


SIGNAL = Signal(
    name="sharpness",
    unit="squared levels of 8-bit luma; compare only pictures of one size and codec",
    resolution="sixteen windows of 64 pixels a side, at the picture's own size; the median of the steps",
    tolerance="5 % on gratings",
    source="variance of the Laplacian: Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy, "
    "ICPR 2000",
    series=True,
    of_pictures=_sharpness,
    frames={NAME: laplacian},
)
