"""The second way to pixels: decord decodes, the packets' timestamps say which frame is when.

decord 0.6 knows frames by their number, in order of presentation. Asked for frames by number it seeks, and
hands over others than those it was asked for (HEVC, MPEG-2, MPEG-4, H.264 with open GOPs); read from the
beginning its frames are right. It loses the first frames of MPEG-TS, ignores edit lists and knows neither AV1
nor Theora: those are refused.
"""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np

from decoders.selective import on_screen
from decoders.timeline import Timeline
from decoders.video import TimedFrame
from schemas.grid import Nanoseconds
from schemas.reasons import MediaError, Reason

REFUSED = {"mpegts"}


class DecordReader:
    """Decodes the frames on screen at some instants.

    Raises:
        MediaError: refused_format where decord's count of frames is not the container's; corrupt.
    """

    def __init__(
        self, path: str, container: str, timeline: Timeline, threads: int, instants_ns: Nanoseconds
    ) -> None:
        import decord

        track = timeline.video
        assert track is not None
        wanted = on_screen(timeline, instants_ns)
        if wanted is None or track.discard.any() or container in REFUSED:
            detail = f"decord cannot count the frames of this {container} file: use --decoder pyav"
            raise MediaError(Reason.REFUSED_FORMAT, detail)
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
        read = 0
        for rank, start, end in zip(wanted.ranks, wanted.start_ns, wanted.end_ns, strict=True):
            try:
                while read < rank:
                    self._reader.next()
                    read += 1
                picture = np.ascontiguousarray(self._reader.next().asnumpy())
                read += 1
            except self._error as error:
                raise MediaError(Reason.CORRUPT, f"decord stops at frame {rank}") from error
            yield TimedFrame(av.VideoFrame.from_ndarray(picture, "rgb24"), int(start), int(end))
