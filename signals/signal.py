"""What a signal is, and what it is measured on."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.grid import SAMPLES_PER_STEP
from schemas.media import FrameTransform

Value = float | list[float] | str | None


class Kind(enum.StrEnum):
    """How the index holds a signal."""

    NUMBER = "number"  # float64
    TIMES = "times"  # a list of float64, seconds of the media's own time
    TEXT = "text"


@dataclass(frozen=True)
class Measured:
    """A span's value, None where the signal does not apply; `series`: float32 [steps], NaN likewise."""

    value: Value
    series: npt.NDArray[np.float32] | None = None


NOTHING = Measured(None)


@dataclass(frozen=True)
class Sound:
    """The sound of one span.

    Attributes:
        waveform: float32 [n], mono, 16 kHz, from the span's first instant; full scale is 1.
        mask: uint8 [steps], 1 where a step has sound.
    """

    waveform: npt.NDArray[np.float32]
    mask: npt.NDArray[np.uint8]

    @cached_property
    def heard(self) -> npt.NDArray[np.float32]:
        """float32 [n']: the waveform without the steps that have no sound."""
        if self.mask.all():
            return self.waveform
        kept = np.repeat(self.mask > 0, SAMPLES_PER_STEP)[: self.waveform.size]
        return np.asarray(self.waveform[kept])

    def by_step(self, of_step: Callable[[npt.NDArray[np.float32]], float]) -> npt.NDArray[np.float32]:
        """float32 [steps]: of each step's samples, NaN where it has no sound."""
        found = np.full(self.mask.size, np.nan, np.float32)
        for step in np.flatnonzero(self.mask).tolist():
            part = self.waveform[step * SAMPLES_PER_STEP : (step + 1) * SAMPLES_PER_STEP]
            found[step] = of_step(part) if part.size else np.nan
        return found


@dataclass(frozen=True)
class Pictures:
    """The grid's frames of one span, or a still image as one step.

    Attributes:
        start_s: the span's start, in seconds of the media's own time.
        frame_of_step: int [steps], row of the step's frame, -1: missing.
        made: name of a frame transform (see FRAMES) -> [distinct frames, ...].
        still: an image, not moving pictures.
    """

    start_s: float
    frame_of_step: npt.NDArray[np.int32]
    made: Mapping[str, npt.NDArray[Any]]
    still: bool = False

    @property
    def seen(self) -> npt.NDArray[np.int64]:
        """int64 [k]: the steps that have a frame."""
        return np.flatnonzero(self.frame_of_step >= 0)

    def spread(self, of_frame: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """float32 [steps], from [distinct frames]; NaN where a step has no frame."""
        found = np.asarray(of_frame, np.float32)[np.maximum(self.frame_of_step, 0)]
        found[self.frame_of_step < 0] = np.nan
        return found


@dataclass(frozen=True, eq=False)
class Film:
    """Every frame of one span, and its sound where the same file has it.

    Attributes:
        start_s: the span's start, in seconds of the media's own time.
        frames: uint8 [m, 64, 64], luma.
        times_s: float64 [m], ascending: when each appears, from the span's start on; the first may before it.
        length_s: of the span.
        sound: None: there is none, or it lies in another file.
    """

    start_s: float
    frames: npt.NDArray[np.uint8]
    times_s: npt.NDArray[np.float64]
    length_s: float
    sound: Sound | None


@dataclass(frozen=True)
class Signal:
    """One registered signal.

    Attributes:
        unit, resolution, tolerance, source: as docs/signals.md has them; `tolerance` is what the ground-truth
            test holds it to.
        version: raise when the same media give other values.
        of_sound, of_pictures, of_film: how it is measured; one of them. A signal of pictures may have one of
            films too, which takes its place where every frame is looked at (`--signals full`).
        frames: what it needs of every frame, by name: made in the process that decodes.
    """

    name: str
    unit: str
    resolution: str
    tolerance: str
    source: str
    version: int = 1
    kind: Kind = Kind.NUMBER
    series: bool = False
    of_sound: Callable[[Sound], Measured] | None = None
    of_pictures: Callable[[Pictures], Measured] | None = None
    of_film: Callable[[Film], Measured] | None = None
    frames: Mapping[str, FrameTransform] = field(default_factory=dict)
