"""The packets of one stream, as read before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Track:
    """The packets of one stream, in decoding order.

    Attributes:
        index: the stream's index in the container.
        time_base: seconds a tick.
        pts: int64 [packets], ticks; the decoding time where `ordered` and not `ranked`.
        duration: int64 [packets], ticks; never 0 where anything is known of it.
        discard: bool [packets], decoded but never presented (before an edit list's start).
        starts: bool [packets], decoding may begin here (video).
        layer: uint8 [packets], HEVC's temporal layer.
        codec: FFmpeg's name of it.
        intra_only: every packet of this codec decodes by itself.
        start, end: Fraction seconds, first and last instant that is presented.
        frame_ticks: ticks that a packet usually lasts; 0 where unknown.
        moved: ticks to add to every `pts` (decoders/timeline/edit_list.py).
        shift: int64 [packets], ticks by which `pts` is later than the demuxer's (decoders/timeline/joins.py).
        carries: bool [packets], what later pictures depend on comes beside it (decoders/timeline/headers.py).
        ordered: the container gives no presentation times (AVI, bare streams): the n-th frame shown
            takes the n-th of the packets' times.
        ranked: the pictures' types say in which order an ordered stream shows its packets, so that `pts`
            are presentation times all the same.
        whole_from: the first packet whose picture is whole; what the decoder makes of earlier ones is not.
        header_start, header_duration: ticks, as the demuxer has them of the stream; None where it has none
            (Matroska: no duration).
    """

    index: int
    time_base: Fraction
    pts: npt.NDArray[np.int64]
    duration: npt.NDArray[np.int64]
    discard: npt.NDArray[np.bool_]
    starts: npt.NDArray[np.bool_]
    layer: npt.NDArray[np.uint8]
    codec: str
    intra_only: bool
    start: Fraction
    end: Fraction
    frame_ticks: int
    moved: int
    shift: npt.NDArray[np.int64]
    carries: npt.NDArray[np.bool_]
    ordered: bool
    ranked: bool
    whole_from: int
    header_start: int | None = None
    header_duration: int | None = None
