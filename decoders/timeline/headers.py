"""What later pictures depend on and a packet says once: parameter sets, sequence headers, palettes.

A decoder that is given some packets only must still be told all of it. What a demuxer hands over beside a
packet (side data: a new FLV sequence header, another MP4 sample entry, a palette) travels on to the next
packet that is decoded. What lies in the bitstream itself cannot: there a group of pictures is a starting
point only if it says again what was changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import av.packet
import av.stream

if TYPE_CHECKING:
    Packet = av.packet.Packet[av.stream.Stream]

CARRIED: tuple[av.packet.PktSideDataT, ...] = ("new_extradata", "palette", "param_change")

_PARAMETER_SETS = {"h264": {7, 8}, "hevc": {32, 33, 34}}  # SPS, PPS; VPS, SPS, PPS
_PICTURES = {"h264": range(1, 6), "hevc": range(32)}
# A sequence's header (a video object layer) with its extensions, and where a picture or a group begins.
_SEQUENCES = {
    "mpeg1video": (b"\0\0\1\xb3", re.compile(rb"\x00\x00\x01[\x00\xb8]")),
    "mpeg2video": (b"\0\0\1\xb3", re.compile(rb"\x00\x00\x01[\x00\xb8]")),
    "mpeg4": (b"\0\0\1", re.compile(rb"\x00\x00\x01[\xb3\xb6]")),
}
_START = b"\0\0\1"
_HEAD = 512  # bytes in which headers and the first picture's start usually lie


class Carried:
    """Side data of packets that a decoder was not given, for the next one that it is."""

    def __init__(self) -> None:
        self._held: dict[av.packet.PktSideDataT, av.packet.PacketSideData] = {}

    def keep(self, packet: Packet) -> None:
        """The packet will not be decoded."""
        for kind in CARRIED:
            if packet.has_sidedata(kind):
                self._held[kind] = packet.get_sidedata(kind)

    def hand_over(self, packet: Packet) -> None:
        """The packet is about to be decoded."""
        for kind, data in self._held.items():
            if not packet.has_sidedata(kind):
                packet.set_sidedata(data)
        self._held.clear()


class Headers:
    """Follows what one stream's packets say, in decoding order."""

    def __init__(self, codec: str, extradata: bytes | None, length_size: int) -> None:
        self._codec = codec
        self._kinds: set[int] = _PARAMETER_SETS.get(codec, set())
        self.reset(extradata, length_size)

    def reset(self, extradata: bytes | None, length_size: int) -> None:
        """The demuxer says anew how to decode; `length_size` 0: start codes."""
        self._length_size = length_size
        self._configuration = extradata or b""  # avcC, hvcC: holds parameter sets as they are
        self._known = set() if length_size else set(self._found(self._configuration)[0])
        self._changed = False

    def suffice(self, packet: Packet) -> bool:
        """Whether a decoder that knows how the stream began, and nothing since, decodes this packet as one
        that has seen everything. To be asked of every packet."""
        if not self._kinds and self._codec not in _SEQUENCES:
            return True
        found, whole = self._found(bytes(memoryview(packet)[:_HEAD]))
        if not whole and packet.size > _HEAD:
            found, _ = self._found(bytes(packet))
        new = {unit for unit in found if unit not in self._known and unit not in self._configuration}
        self._changed |= bool(new) and bool(self._known or self._configuration)
        self._known |= new
        return not self._changed or self._complete(found)

    def _complete(self, found: list[bytes]) -> bool:
        return len({_kind(self._codec, unit) for unit in found}) >= max(1, len(self._kinds))

    def _found(self, data: bytes) -> tuple[list[bytes], bool]:
        """Headers before the first picture, and whether that was reached."""
        if self._codec in _SEQUENCES:
            begin, picture = _SEQUENCES[self._codec]
            end = picture.search(data)
            header = data[: end.start() if end else len(data)].rstrip(b"\0")
            return [header] if header.startswith(begin) else [], end is not None
        units = []
        for unit in self._units(data):
            kind = _kind(self._codec, unit)
            if kind in self._kinds:
                units.append(unit.rstrip(b"\0"))
            elif kind in _PICTURES.get(self._codec, ()):
                return units, True
        return units, False

    def _units(self, data: bytes) -> Iterator[bytes]:
        if not self._length_size:
            start = data.find(_START) + 3
            while 3 <= start < len(data):
                end = data.find(_START, start)
                unit = data[start:] if end < 0 else data[start:end]
                if unit:
                    yield unit
                start = end + 3
            return
        position = 0
        while position + self._length_size < len(data):
            start = position + self._length_size
            position = start + int.from_bytes(data[position:start], "big")
            if position > start:
                yield data[start:position]


def _kind(codec: str, unit: bytes) -> int:
    return unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63
