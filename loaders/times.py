"""Columns whose rows are no steps of the grid: which rows a step gets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from schemas.features import Rate
from schemas.grid import STEP_NS, VECTORS_PER_STEP

PLACES = ("grid", "released")


@dataclass(frozen=True)
class Times:
    """Where a column's rows go.

        BEATs, rows of 160 ms   |  0  |  1  |  2  |  3  |  4  |  5  |  6  |
        steps of 500 ms         |         0        |         1         |  row 3 is in both

    `released`: vectors in order, 25 a step, zeros after the last, as video-SALMONN's code lays BEATs'
    beside Whisper's: 8 every 160 ms are as many a second.
    """

    rate: Rate
    released: bool = False

    @property
    def rows_a_step(self) -> int:
        """At most."""
        phase = math.gcd(STEP_NS, self.rate.every_ns)  # steps begin at multiples of it inside a row
        return math.ceil((self.rate.every_ns - phase + STEP_NS) / self.rate.every_ns)

    def tokens(self, vectors: int) -> int:
        """Vectors a step at most, of a column with so many a row."""
        return VECTORS_PER_STEP if self.released else vectors * self.rows_a_step

    def steps(self, features: torch.Tensor) -> int:
        """How many steps [rows, vectors, width] reach over."""
        if self.released:
            return math.ceil(features.shape[0] * features.shape[1] / VECTORS_PER_STEP)
        return math.ceil(len(features) * self.rate.every_ns / STEP_NS)

    def fill(self, place: torch.Tensor, features: torch.Tensor | None) -> torch.Tensor:
        """Writes [rows, vectors, width] (None: nothing) into `place` [T, P, width], zeros elsewhere.

        Returns:
            bool [T, P]: which of its rows hold something.
        """
        place.zero_()
        mask = torch.zeros(place.shape[:2], dtype=torch.bool)
        if features is None:
            return mask
        if self.released:
            flat = features.reshape(-1, features.shape[-1])
            for step in range(min(len(place), self.steps(features))):
                part = flat[step * VECTORS_PER_STEP : (step + 1) * VECTORS_PER_STEP]
                place[step, : len(part)], mask[step, : len(part)] = part, True
            return mask
        every = self.rate.every_ns
        for step in range(min(len(place), self.steps(features))):
            first, end = step * STEP_NS // every, -(-(step + 1) * STEP_NS // every)
            part = features[first:end].flatten(0, 1)
            place[step, : len(part)], mask[step, : len(part)] = part, True
        return mask
