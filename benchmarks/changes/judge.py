"""Holds a decoded member of the family, or any file drawn like it, against what was drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.changes.family import LOST_PICTURES, Change, Member
from benchmarks.changes.source import FPS, HALF, SECONDS, lag_seconds, number_of, second_of
from decoders.clips import decode_clips
from decoders.probe import probe
from schemas.grid import SECOND_NS, Grid, Span
from schemas.media import ClipRequest, DecodedClip

TICK_S = 0.0015  # a timestamp may be rounded to a tick of 1 ms
PADDING_S = 0.12  # what encoders put between two halves, at most


@dataclass(frozen=True)
class Seen:
    """What a clip shows.

    Attributes:
        numbers: a step each, the number of its frame; None: no frame.
        seconds: a step each, the second whose tone sounds in it; None: silence, or too short to tell.
    """

    numbers: list[int | None]
    seconds: list[float | None]


@dataclass(frozen=True)
class Verdict:
    """What is wrong.

    Attributes:
        sound_ms: by how much the sound comes later than the pictures (than where it was drawn, without
            pictures), the worst of the two halves; None without sound.
        wrong_frames: steps that show a frame that was not drawn for that time, or none where there is one.
        apart_ms: by how much the second half begins later than where the first was drawn to end.
        steps: of the grid.
    """

    sound_ms: float | None
    wrong_frames: int
    apart_ms: float
    steps: int


def decode(path: Path, decoders: int = 1) -> DecodedClip:
    """The whole file as one clip; of each frame, its number alone."""
    info = probe(str(path))
    request = ClipRequest(Grid(Span(0, info.duration_ns)), info.video is not None, info.audio is not None)
    (clip,) = decode_clips(str(path), [request], {"number": drawn_number}, threads=decoders)
    return clip


def drawn_number(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """int64 [1]: a frame transform."""
    return np.array([number_of(picture)])


def look(clip: DecodedClip) -> Seen:
    """What each step shows and sounds like."""
    numbers: list[int | None] = [None] * clip.grid.steps
    if clip.frames is not None and clip.frames.prepared:
        drawn = np.asarray(clip.frames.prepared["number"])
        numbers = [int(drawn[row][0]) if row >= 0 else None for row in clip.frames.frame_of_step]
    seconds: list[float | None] = [None] * clip.grid.steps
    if clip.audio is not None:
        seconds = [
            second_of(clip.audio.waveform[step * 8000 : (step + 1) * 8000]) if sounding else None
            for step, sounding in enumerate(clip.audio.mask)
        ]
    return Seen(numbers, seconds)


def judge(member: Member, clip: DecodedClip) -> Verdict:
    """Hold a member against what was drawn."""
    numbers = look(clip).numbers
    shifts: list[list[float]] = [[], []]
    wrong = 0
    for step, number in enumerate(numbers):
        if number is None:
            wrong += clip.frames is not None and _should_show(member, step)
            continue
        assert clip.frames is not None
        half = number >= HALF * FPS
        shifts[half].append(clip.frames.pts_ns[step] / SECOND_NS - number / FPS)
        wrong += number >= SECONDS * FPS
    middles = [float(np.median(shift)) if shift else 0.0 for shift in shifts]
    wrong += sum(abs(shift - middles[half]) > TICK_S for half in range(2) for shift in shifts[half])
    lags = _lags(clip, middles)
    if lags and not any(shifts):  # nothing to hold the sound against but itself
        middles = [lags[0], lags[-1]]
        first = lags[0] if clip.frames is None else 0.0
        lags = [lag - middles[second >= HALF] + first for second, lag in enumerate(lags)]
    worst = max(lags, key=abs) * 1000 if lags else None
    apart = (middles[1] - middles[0]) * 1000 if all(shifts) or not any(shifts) else 0.0
    return Verdict(worst, int(wrong), apart, len(numbers))


def right(member: Member, verdict: Verdict) -> bool:
    """Whether sound, pictures and the joint are as the container records them."""
    heard = verdict.sound_ms is None or abs(verdict.sound_ms) <= member.format.tolerance_ms
    return heard and not verdict.wrong_frames and -TICK_S <= verdict.apart_ms / 1000 <= PADDING_S


def _should_show(member: Member, step: int) -> bool:
    """Whether a step lies where frames are, and none was taken away."""
    if member.change is Change.LOST and step * FPS < 2 * (member.gop + 2 * LOST_PICTURES):
        return False
    return step < 2 * SECONDS


def _lags(clip: DecodedClip, shifts: list[float]) -> list[float]:
    """Seconds by which each second's chirp is late, against the pictures of its half."""
    if clip.audio is None:
        return []
    late = []
    for second in range(SECONDS):
        shift = shifts[second >= HALF] if clip.frames is not None else 0.0
        late.append(lag_seconds(clip.audio.waveform, second, shift) - shift)
    return late
