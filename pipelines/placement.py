"""Where a span's frames and sound lie: the small cache entry beside the features."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.media import DecodedAudio, DecodedFrames
from schemas.shard import json_bytes


@dataclass(frozen=True)
class FramePlacement:
    """`frame_of_step`: row of each step's frame among the span's distinct frames, -1 missing;
    `pts_ns`: its presentation time in the media's time, -1 missing; `remarks`: schemas/reasons.py."""

    frame_of_step: tuple[int, ...]
    pts_ns: tuple[int, ...]
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, frames: DecodedFrames) -> FramePlacement:
        return cls(tuple(frames.frame_of_step.tolist()), tuple(frames.pts_ns.tolist()), frames.remarks)

    @property
    def mask(self) -> list[int]:
        return [int(row >= 0) for row in self.frame_of_step]

    def renumbered(self, numbers: Sequence[int]) -> FramePlacement:
        """Where row r is called `numbers[r]`."""
        return replace(
            self, frame_of_step=tuple(numbers[row] if row >= 0 else -1 for row in self.frame_of_step)
        )

    def spread(self, features: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """[distinct, ...] -> [steps, ...]; zeros where a step has no frame."""
        rows = np.asarray(self.frame_of_step)
        spread: npt.NDArray[Any] = features[np.maximum(rows, 0)]
        spread[rows < 0] = 0
        return spread


@dataclass(frozen=True)
class AudioPlacement:
    """`mask`: 1 for each step that has sound; `remarks`: schemas/reasons.py."""

    mask: list[int]
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, audio: DecodedAudio) -> AudioPlacement:
        return cls(audio.mask.tolist(), audio.remarks)

    def spread(self, features: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """[steps, ...], zeroed where a step has no sound."""
        spread = features.copy()
        spread[np.asarray(self.mask) == 0] = 0
        return spread


Placement = FramePlacement | AudioPlacement


def to_bytes(placement: Placement) -> bytes:
    """The cache entry."""
    remarks = {"remarks": placement.remarks} if placement.remarks else {}
    if isinstance(placement, AudioPlacement):
        return json_bytes({"mask": placement.mask} | remarks)
    return json_bytes({"frame_of_step": placement.frame_of_step, "pts_ns": placement.pts_ns} | remarks)


def from_bytes(content: bytes) -> Placement:
    """Inverse of `to_bytes`."""
    values = json.loads(content)
    remarks = tuple(values.get("remarks", ()))
    if "mask" in values:
        return AudioPlacement(values["mask"], remarks)
    return FramePlacement(tuple(values["frame_of_step"]), tuple(values["pts_ns"]), remarks)
