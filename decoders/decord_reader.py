"""The second way to pixels: decord decodes, the packets' timestamps say which frame is when.

decord 0.6 knows frames by their number, in order of presentation, and drops the streams' start times and
edit lists; its frames are only as good as that count.
"""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np

from decoders.limits import Limits
from decoders.selective import on_screen
from decoders.timeline import Timeline
from decoders.video import TimedFrame
from schemas.grid import Nanoseconds
from schemas.reasons import MediaError, Reason


class DecordReader:
    """Decodes the frames on screen at some instants.

    Raises:
        MediaError: refused_format where decord's count of frames is not the container's; corrupt.
    """

    def __init__(
        self, path: str, timeline: Timeline, limits: Limits, threads: int, instants_ns: Nanoseconds
    ) -> None:
        import decord

        track = timeline.video
        assert track is not None
        wanted = on_screen(timeline, instants_ns)
        if wanted is None:
            raise MediaError(Reason.REFUSED_FORMAT, "two frames at one time: decord cannot tell them apart")
        self.wanted = wanted
        try:
            self._reader = decord.VideoReader(path, decord.cpu(0), num_threads=threads)
            count = len(self._reader)
        except decord.DECORDError as error:
            raise MediaError(Reason.REFUSED_FORMAT, "decord cannot open it") from error
        shown = int((~track.discard).sum())
        if count != shown:
            detail = f"decord counts {count} frames where the container shows {shown}: use --decoder pyav"
            raise MediaError(Reason.REFUSED_FORMAT, detail)
        self._error: type[Exception] = decord.DECORDError

    def frames(self) -> Iterator[TimedFrame]:
        """The wanted frames, in order."""
        wanted = self.wanted
        for rank, start, end in zip(wanted.ranks, wanted.start_ns, wanted.end_ns, strict=True):
            try:
                picture = np.ascontiguousarray(self._reader[int(rank)].asnumpy())
            except self._error as error:
                raise MediaError(Reason.CORRUPT, f"decord stops at frame {rank}") from error
            yield TimedFrame(av.VideoFrame.from_ndarray(picture, "rgb24"), int(start), int(end))
