"""Where one file may be cut, from its frames or its sound, piece by piece: memory does not grow with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.cuts import CutAt, Places
from schemas.grid import SAMPLE_RATE, SAMPLES_PER_STEP, STEP_NS
from schemas.media import DecodedClip
from signals.picture.cuts import Changes, changes, cut_steps
from signals.picture.small import NAME
from signals.signal import Pictures
from signals.sound.speech import CHUNK, SPEAKS, probabilities

PIECE_NS = 64 * STEP_NS  # a whole number of the detector's chunks, and of steps
MERGED_S = 0.1  # silence shorter than this is a part of speech, and
BURST_S = 0.25  # speech shorter than this a part of silence: the defaults of Silero's get_speech_timestamps
TURN_S = 2.0  # after silence as long as this something else begins


def places(at: CutAt, clips: Iterable[DecodedClip]) -> Places:
    """Of a whole file in pieces of `PIECE_NS`, in order: their frames made small, or their sound."""
    return _of_scenes(clips) if at is CutAt.SCENES else _of_speech(clips)


def _of_scenes(clips: Iterable[DecodedClip]) -> Places:
    luma: list[npt.NDArray[np.float64]] = []
    brightnesses: list[npt.NDArray[np.float64]] = []
    last: npt.NDArray[Any] | None = None  # what the step before shows, [1, 128, 128]
    for clip in clips:
        frames = clip.frames
        assert frames is not None
        rows = frames.frame_of_step
        small = np.asarray(frames.prepared[NAME]) if (rows >= 0).any() else np.zeros((0, 1, 1), np.uint8)
        shown = np.concatenate([[len(small) if last is not None else -1], rows]).astype(np.int32)
        made: Mapping[str, npt.NDArray[Any]] = {NAME: small if last is None else _joined(small, last)}
        found = changes(Pictures(0.0, shown, made))
        luma.append(found.luma[1:])
        brightnesses.append(found.brightnesses[1:])
        last = small[rows[-1]][None] if rows[-1] >= 0 else None
    if not luma:
        return Places()
    steps = cut_steps(Changes(np.concatenate(luma), np.concatenate(brightnesses)))
    return Places(tuple(steps.tolist()))


def _joined(small: npt.NDArray[Any], last: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.concatenate([small, last]) if len(small) else last


def _of_speech(clips: Iterable[DecodedClip]) -> Places:
    heard: list[npt.NDArray[np.float32]] = []
    samples = 0
    for clip in clips:
        assert clip.audio is not None
        heard.append(probabilities(clip.audio.waveform))
        samples += clip.audio.waveform.size
    if not heard:
        return Places()
    return speech_places(np.concatenate(heard) >= SPEAKS, -(-samples // SAMPLES_PER_STEP))


def speech_places(spoken: npt.NDArray[np.bool_], steps: int) -> Places:
    """Of a file of so many steps, bool [n]: whether somebody speaks, for each 32 ms."""
    spoken = _without_short(spoken, value=False, least_s=MERGED_S)
    spoken = _without_short(spoken, value=True, least_s=BURST_S)
    cuts: list[int] = []
    pauses: list[tuple[int, int]] = []
    for begin, end in _runs(~spoken):
        start_s, end_s = begin * CHUNK / SAMPLE_RATE, end * CHUNK / SAMPLE_RATE
        first, last = int(-(-start_s * 2 // 1)), int(end_s * 2 // 1)  # steps of 0.5 s
        whole = end == spoken.size
        if end_s - start_s >= TURN_S:
            cuts += [first] if begin else []
            cuts += [] if whole else [last]
        if first <= last and begin and not whole:
            middle = min(max(round(start_s + end_s), first), last)
            pauses.append((middle, round((end_s - start_s) * 1000)))
    return Places(tuple(sorted({step for step in cuts if 0 < step < steps})), tuple(pauses))


def _without_short(spoken: npt.NDArray[np.bool_], *, value: bool, least_s: float) -> npt.NDArray[np.bool_]:
    """Runs of `value` shorter than that are what is around them; those at an end stay."""
    found = spoken.copy()
    for begin, end in _runs(spoken == value):
        if (end - begin) * CHUNK / SAMPLE_RATE < least_s and begin and end < spoken.size:
            found[begin:end] = not value
    return found


def _runs(of: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """[begin, end) of each run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], of, [False]]).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]
