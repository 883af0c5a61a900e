"""Every frame of a stretch, small and gray, with its sound: what two frames a second cannot show."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation

from decoders.clips import Sounds
from decoders.limits import DEFAULT, Limits
from decoders.streams.video import FullReader, NotExactError, SelectiveReader, TimedFrame
from decoders.timeline.container import open_media
from decoders.timeline.files import MediaFile
from decoders.timeline.selective import plan
from decoders.timeline.timeline import Timeline, read_timeline
from schemas.grid import SECOND_NS, Grid, Span
from schemas.media import ClipRequest
from schemas.reasons import MediaError, Reason

SIDE = 64  # rows and columns of a frame; proportions are not kept
APART_NS = SECOND_NS // 100  # frames closer than this are left out


@dataclass(frozen=True)
class Stretch:
    """One stretch of a medium.

    Attributes:
        waveform: float32 [n], mono, 16 kHz, from the stretch's start.
        frames: uint8 [m, 64, 64], luma.
        times_s: float64 [m], when each appears, from the stretch's start on.
    """

    waveform: npt.NDArray[np.float32]
    frames: npt.NDArray[np.uint8]
    times_s: npt.NDArray[np.float64]


def stretch(file: MediaFile, span: Span, limits: Limits = DEFAULT, audio_track: str = "") -> Stretch:
    """Of a medium that has both; the part of `span` that it covers.

    Raises:
        MediaError: missing_modality, corrupt, and what opening a file can give.
    """
    timeline = read_timeline(file, limits, audio_track)
    if timeline.video is None or timeline.audio is None:
        raise MediaError(Reason.MISSING_MODALITY, "not both pictures and sound")
    end = min(span.end_ns, timeline.duration_ns)
    if end <= span.start_ns:
        raise MediaError(Reason.SPAN_OUT_OF_RANGE, "the stretch lies past the medium's end")
    span = Span(span.start_ns, end)
    with open_media(file, limits) as container:
        sounds = Sounds(container, timeline, limits)
        sounds.want([ClipRequest(Grid(span), False, True)])
        waveform = sounds.clip(0).waveform
    small, times = _small(file, timeline, limits, span)
    return Stretch(
        waveform,
        np.stack(small) if small else np.zeros((0, SIDE, SIDE), np.uint8),
        (np.array(times, np.int64) - span.start_ns) / SECOND_NS,
    )


Small = tuple[list[npt.NDArray[np.uint8]], list[int]]


def _small(file: MediaFile, timeline: Timeline, limits: Limits, span: Span) -> Small:
    """The frames on screen in the span, made small, and when they appear."""
    exact = plan(timeline, np.arange(span.start_ns, span.end_ns, APART_NS))
    if exact is not None:
        with suppress(NotExactError), open_media(file, limits) as container:
            return _taken(SelectiveReader(container, timeline, limits, 1, exact).frames(), span)
    with open_media(file, limits) as container:
        return _taken(FullReader(container, timeline, limits, 1).frames(), span)


def _taken(frames: Iterator[TimedFrame], span: Span) -> Small:
    """Each made small as it comes: the frames of ten seconds would not fit into memory."""
    small: list[npt.NDArray[np.uint8]] = []
    times: list[int] = []
    for timed in frames:
        if timed.start_ns >= span.end_ns:
            break
        if timed.end_ns > span.start_ns:
            gray = timed.frame.reformat(SIDE, SIDE, "gray", interpolation=Interpolation.AREA)
            small.append(np.asarray(gray.to_ndarray(), np.uint8))
            times.append(timed.start_ns)
    return small, times
