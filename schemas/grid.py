"""The time grid on which sound and pictures meet.

Time is int64 nanoseconds: a step of 0.5 s, Whisper's 20 ms vector and a 16 kHz sample (62,500 ns)
are all exact. Time zero is the container's earliest presentation time. Spans are half-open.

    span       [start ......................................... end)
    steps      |   0   |   1   |   2   |   3   | ...   0.5 s each, the last may reach past `end`
    vectors    |25     |25     |25     |25     | ...   Whisper's 50 Hz
    frames         ^       ^       ^       ^           `center`; `start` takes the step's first instant
           ^      ^^      ^^      ^^      ^            `favor`: the first and the last of every second
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

SECOND_NS = 1_000_000_000
STEP_NS = SECOND_NS // 2
SAMPLE_RATE = 16_000
SAMPLE_NS = SECOND_NS // SAMPLE_RATE
SAMPLES_PER_STEP = STEP_NS // SAMPLE_NS
VECTORS_PER_STEP = 25

Nanoseconds = npt.NDArray[np.int64]


class FrameAt(enum.StrEnum):
    """Which frame a step takes: the one on screen at an instant of it, or by FAVOR's rule.

    `FAVOR` is the rule of FAVOR's released code (arXiv 2310.05863): the first and the last frame of every
    second of the video's own time (decoders/timeline/windows.py), as many as that makes: not always two a
    second of the grid.
    """

    CENTER = "center"
    START = "start"
    FAVOR = "favor"

    @property
    def rule(self) -> str:
        """Its name in cache keys, with a version where the same name has meant another choice."""
        return "favor-2" if self is FrameAt.FAVOR else self.value


def seconds_to_ns(seconds: float | int | str | Decimal) -> int:
    """Nearest nanosecond of a decimal number of seconds ("8.59" is exactly 8_590_000_000).

    Raises:
        ValueError: not a finite number.
    """
    try:
        value = Decimal(str(seconds))
    except ArithmeticError as error:
        raise ValueError(f"{seconds!r} is not a number of seconds") from error
    if not value.is_finite():
        raise ValueError(f"{seconds!r} is not a finite number of seconds")
    return int((value * SECOND_NS).to_integral_value())


def ns_to_seconds(nanoseconds: int) -> float:
    """Seconds as the nearest float64."""
    return nanoseconds / SECOND_NS


@dataclass(frozen=True, order=True, slots=True)
class Span:
    """Half-open interval [start_ns, end_ns) of a media item's own time.

    Raises:
        ValueError: negative start, or an end that does not lie after the start.
    """

    start_ns: int
    end_ns: int

    def __post_init__(self) -> None:
        if self.start_ns < 0:
            raise ValueError(f"span starts before time zero: {self.start_ns} ns")
        if self.end_ns <= self.start_ns:
            raise ValueError(f"span [{self.start_ns}, {self.end_ns}) ns is empty")

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns

    @property
    def samples(self) -> int:
        """16 kHz samples that begin inside the span."""
        return -(-self.duration_ns // SAMPLE_NS)


@dataclass(frozen=True, slots=True)
class Grid:
    """The 0.5 s steps of one span. Step k covers [start + 0.5 k, start + 0.5 (k + 1))."""

    span: Span
    frame_at: FrameAt = FrameAt.CENTER

    @property
    def steps(self) -> int:
        """ceil(span / 0.5 s)."""
        return -(-self.span.duration_ns // STEP_NS)

    def step_starts_ns(self) -> Nanoseconds:
        """int64 [steps]: the first instant of every step."""
        return self.span.start_ns + STEP_NS * np.arange(self.steps, dtype=np.int64)

    def frame_times_ns(self, end_ns: int | None = None) -> Nanoseconds:
        """int64 [steps]: the instant whose on-screen frame (last pts <= instant) a step takes.

        Args:
            end_ns: where the medium ends. A step whose centre lies past it takes the middle of its covered
                part.

        Raises:
            ValueError: FAVOR's rule, which needs the frames' times.
        """
        starts = self.step_starts_ns()
        match self.frame_at:
            case FrameAt.CENTER:
                centres = starts + STEP_NS // 2
                if end_ns is None:
                    return centres
                return np.where((starts < end_ns) & (centres >= end_ns), (starts + end_ns) // 2, centres)
            case FrameAt.START:
                return starts
            case FrameAt.FAVOR:
                raise ValueError("FAVOR's rule picks frames by their own times, not by an instant")


def cut(duration_ns: int, clip_ns: int) -> list[Span]:
    """Consecutive spans of `clip_ns` that cover [0, duration_ns); the last one may be shorter.

    Raises:
        ValueError: `clip_ns` is not a positive multiple of the 0.5 s step.
    """
    if clip_ns <= 0 or clip_ns % STEP_NS:
        raise ValueError("a clip's length must be a positive multiple of 0.5 s")
    return [Span(start, min(start + clip_ns, duration_ns)) for start in range(0, duration_ns, clip_ns)]
