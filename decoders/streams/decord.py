"""The second way to pixels: decord decodes, the packets' timestamps say which frame is when.

decord 0.6 knows frames by their number, in order of presentation. Asked for frames by number it seeks, and
hands over others than those it was asked for (HEVC, MPEG-2, MPEG-4, H.264 with open GOPs); read from the
beginning its frames are right. It loses the first frames of MPEG-TS, ignores edit lists and knows neither AV1
nor Theora, and turns pictures but does not mirror them: those are refused.
"""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np
from av.container import InputContainer

from decoders.limits import Limits
from decoders.streams.picture import display_matrix
from decoders.streams.video import TimedFrame, first_picture
from decoders.timeline.container import stream_at
from decoders.timeline.selective import on_screen
from decoders.timeline.timeline import Timeline
from schemas.grid import Nanoseconds
from schemas.reasons import MediaError, Reason

REFUSED = {"mpegts"}


class DecordReader:
    """Decodes the frames on screen at some instants.

    Raises:
        MediaError: refused_format where decord's count of frames is not the container's; too_large; corrupt.
    """

    def __init__(
        self,
        path: str,
        container: InputContainer,
        timeline: Timeline,
        limits: Limits,
        threads: int,
        instants_ns: Nanoseconds,
    ) -> None:
        import decord

        track = timeline.video
        assert track is not None
        wanted = on_screen(timeline, instants_ns)
        name = container.format.name
        changes = track.carries.any() or timeline.joins  # decord decodes each frame from its own keyframe on
        if wanted is None or track.discard.any() or name in REFUSED or changes:
            raise MediaError(
                Reason.REFUSED_FORMAT, f"decord cannot count this {name} file's frames: use --decoder pyav"
            )
        first = first_picture(container, stream_at(container, track.index, av.VideoStream), limits)
        if first is not None and _mirrored(first):
            raise MediaError(Reason.REFUSED_FORMAT, "decord does not mirror pictures: use --decoder pyav")
        shown = int((~track.discard).sum())
        _check_memory(stream_at(container, track.index, av.VideoStream), shown, limits)
        self.wanted = wanted
        try:
            self._reader = decord.VideoReader(path, decord.cpu(0), num_threads=threads)
            count = len(self._reader)
        except (decord.DECORDError, RuntimeError) as error:
            raise MediaError(Reason.REFUSED_FORMAT, "decord cannot open it: use --decoder pyav") from error
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


def _check_memory(stream: av.VideoStream, frames: int, limits: Limits) -> None:
    """Its threads decode all that they have read, whether anybody takes it or not, and it reads on until they
    give a frame: so all of a film may come to lie in memory.

    Raises:
        MediaError: too_large.
    """
    context = stream.codec_context
    needed = 3 * context.width * context.height * frames
    if needed > limits.memory_bytes // 2:
        raise MediaError(
            Reason.TOO_LARGE,
            f"decord may hold {frames} frames at once, {needed / 2**30:.1f} GiB: use --decoder pyav",
        )


def _mirrored(frame: av.VideoFrame) -> bool:
    matrix = display_matrix(frame)
    return matrix is not None and matrix[0] * matrix[4] < matrix[1] * matrix[3]
