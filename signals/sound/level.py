"""Decibels below full scale."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

FLOOR_DB = -120.0  # digital silence, and all that is softer


def decibels(power: float) -> float:
    """Of a mean square, 1 being full scale's square."""
    return max(10 * math.log10(power), FLOOR_DB) if power > 0 else FLOOR_DB


def mean_square(samples: npt.NDArray[np.float32]) -> float:
    """Of float32 [n], n > 0."""
    return float(np.dot(samples, samples)) / samples.size
