"""MP4 edit lists that cut a frame in two.

An edit may begin while a frame is on screen. FFmpeg's demuxer drops that frame and moves all that follow
up to the edit's start, by up to a frame's duration; the sound it cuts to the sample. Without its
`advanced_editlist` it keeps the media's own times, so the difference tells how far the pictures were moved.
"""

from __future__ import annotations

from itertools import islice

from decoders.limits import Limits
from decoders.timeline.container import open_media
from decoders.timeline.files import MediaFile

OPTION = {"advanced_editlist": "0"}
_PACKETS = 2000


def moved_ticks(file: MediaFile, limits: Limits, stream_index: int, position: int, pts: int) -> int:
    """By how many ticks FFmpeg shows a stream's packets too early.

    Args:
        file: the medium.
        limits: of opening it.
        stream_index: of the pictures.
        position: byte position of a packet that is shown.
        pts: that packet's, in ticks, as read with edit lists.
    """
    with open_media(file, limits, OPTION) as plain:
        for packet in islice(plain.demux(plain.streams[stream_index]), _PACKETS):
            if packet.size and packet.pos == position and packet.pts is not None:
                return max(0, packet.pts - pts)
    return 0
