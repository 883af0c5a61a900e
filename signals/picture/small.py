"""A frame made small, the same size whatever the frame's: what most signals of pictures look at."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SIDE = 128  # rows and columns; proportions are not kept
NAME = "signals.small"


def luma(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """float32 [...], 0 to 255, of RGB uint8 [..., 3]: ITU-R BT.601's weights, full range."""
    return np.asarray(rgb @ np.array([0.299, 0.587, 0.114], np.float32))


def small(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """uint8 [128, 128] luma of a frame [H, W, 3]: the mean of four pixels for each of ours. All of a large
    picture's pixels would cost what a quarter of its decoding does."""
    rows, columns = ((np.arange(2 * SIDE) * 2 + 1) * length // (4 * SIDE) for length in picture.shape[:2])
    bright = luma(picture[rows[:, None], columns[None]])
    means = bright.reshape(SIDE, 2, SIDE, 2).mean(axis=(1, 3))
    return np.asarray(np.rint(means), np.uint8)


FRAMES = {NAME: small}
