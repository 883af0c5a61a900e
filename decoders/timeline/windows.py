"""FAVOR's frame rule: the first and the last frame of every second of the video's own time.

    windows    [0, 1)   [1, 2)   ...   [k, k + 1)        of a video of k + 0.3 s one more:
                                    [k - 0.7, k + 0.3)   the last, moved back to end with the video

As the released code has it (arXiv 2310.05863), which takes pytorchvideo 0.1.5's UniformClipSampler of one
second with `backpad_last`, its PyAV decoder, and two frames of each window:

- Time zero is the stream's start as its header has it; the duration is the header's less that start. Where it
  has none (Matroska) it is the last frame's time, which is therefore in no window.
- A window's bounds are exact fractions of a second, rounded up to ticks; start <= pts < end of its frames.
- Windows follow one another until the next would end where the last one ended. A video under a second is one.
- A window of one frame gives it twice.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np
import numpy.typing as npt

from decoders.timeline.joins import NO_PTS
from decoders.timeline.timeline import Timeline
from decoders.timeline.track import Track
from schemas.grid import SECOND_NS, Nanoseconds, Span

_LAST = Fraction(
    1, 1_000_000
)  # seconds: a window that would begin and end that close to the last is the last
_FALSE_S = 1  # seconds by which a header may promise more than the packets hold


def window_starts(duration: Fraction) -> list[Fraction]:
    """Seconds at which the windows of a video of `duration` seconds begin."""
    starts: list[Fraction] = []
    at = Fraction(0)
    while not starts or at - starts[-1] >= _LAST:
        starts.append(at)
        at = max(Fraction(0), at + 1 - max(Fraction(0), at + 2 - duration))
    return starts


def most_steps(span: Span) -> int:
    """How many frames a span can have at most."""
    return 2 * (ceil(span.duration_ns / SECOND_NS) + _FALSE_S)


def frame_times_ns(timeline: Timeline, span: Span) -> Nanoseconds:
    """int64 [2 x windows]: when the first and the last frame of every window begin, in the media's time; -1:
    there is none in the window.

    A span is read as a file cut to it would be: its windows count from its start, or from the video's where
    that is later.
    """
    track = timeline.video
    assert track is not None
    pts = _shown(track)
    start = int(pts[0]) if track.header_start is None else track.header_start
    own = (start + track.moved) * track.time_base
    origin = max(own, timeline.zero + Fraction(span.start_ns, SECOND_NS))
    if origin == own:
        promised = int(pts[-1]) if track.header_duration is None else track.header_duration
        duration = (promised - start) * track.time_base
    else:
        duration = track.end - origin
    left = timeline.zero + Fraction(span.end_ns, SECOND_NS) - origin
    duration = min(duration, left + _FALSE_S if span.end_ns >= timeline.duration_ns else left)
    starts = window_starts(max(duration, Fraction(0)))[: most_steps(span) // 2]
    times = np.full(2 * len(starts), -1, np.int64)
    for window, second in enumerate(starts):
        begin, end = (
            ceil((origin + bound) / track.time_base) - track.moved for bound in (second, second + 1)
        )
        first, after = np.searchsorted(pts, (begin, end), "left")
        if first < after:
            times[2 * window] = timeline.pts_to_ns(track, int(pts[first]))
            times[2 * window + 1] = timeline.pts_to_ns(track, int(pts[after - 1]))
    return times


def _shown(track: Track) -> npt.NDArray[np.int64]:
    """Ticks of the frames that are shown, in order."""
    shown = ~track.discard & (track.pts != NO_PTS)
    shown[: track.whole_from] = False
    return np.sort(track.pts[shown if shown.any() else slice(None)])
