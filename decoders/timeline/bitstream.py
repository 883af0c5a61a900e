"""What a packet's first bytes say: whether decoding may begin at it, and its temporal layer.

A demuxer's keyframe flag is not enough: FFmpeg also sets it on H.264 recovery points, after which
pictures are only approximately right.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

import av.packet
import av.stream

from decoders.timeline.headers import Headers

_INTRA_ONLY = 1  # AV_CODEC_PROP_INTRA_ONLY
_H264_IDR = 5  # Rec. H.264, table 7-1
_HEVC_IRAP = range(16, 22)  # BLA, IDR, CRA: Rec. H.265, table 7-1
_HEVC_VCL = range(32)
# Every keyframe resets all reference pictures, or (MPEG-1/2/4) what follows it in order of
# presentation refers to nothing before it.
_KEYFRAME_IS_ENOUGH = {"vp8", "vp9", "av1", "theora", "mpeg1video", "mpeg2video", "mpeg4"}
# Pictures that follow a starting point in the stream but precede it on screen lean on the GOP before.
OPEN_GOPS = {"hevc", "mpeg1video", "mpeg2video", "mpeg4"}
# Decoders that skip, one packet at a time, pictures to which no other picture refers.
SKIPS_NONREF = {"h264", "hevc", "vp8", "mpeg1video", "mpeg2video", "mpeg4"}


class Peek:
    """Reads the first bytes of one stream's packets."""

    def __init__(self, stream: av.stream.Stream) -> None:
        context = stream.codec_context
        assert context is not None
        self.codec = context.codec.canonical_name
        self.intra_only = bool(int(context.codec.properties) & _INTRA_ONLY)
        self._length_size = _length_size(self.codec, context.extradata)
        self._headers = Headers(self.codec, context.extradata, self._length_size)
        self.told_too_late = False  # a keyframe depends on headers that came before it

    def reconfigure(self, extradata: bytes) -> None:
        """From the next packet on the demuxer gives another configuration."""
        self._length_size = _length_size(self.codec, extradata)
        self._headers.reset(extradata, self._length_size)

    def starts(self, packet: av.packet.Packet[av.stream.Stream]) -> bool:
        """Whether the pictures from this one on, in order of presentation, decode exactly from here. To be
        asked of every packet."""
        if self.intra_only:
            return True
        told = self._headers.suffice(packet)
        self.told_too_late |= packet.is_keyframe and not told
        if not told or not packet.is_keyframe:
            return False
        if self.codec == "h264":
            return any(head[0] & 31 == _H264_IDR for head in self._units(packet))
        if self.codec == "hevc":
            return any(head[0] >> 1 & 63 in _HEVC_IRAP for head in self._units(packet))
        return self.codec in _KEYFRAME_IS_ENOUGH

    def layer(self, packet: av.packet.Packet[av.stream.Stream]) -> int:
        """HEVC's temporal layer; 0 for every other codec."""
        if self.codec == "hevc":
            for head in self._units(packet):
                if head[0] >> 1 & 63 in _HEVC_VCL:
                    return max(0, (head[1] & 7) - 1)  # 0 is forbidden, and so damage
        return 0

    def hidden(self, packet: av.packet.Packet[av.stream.Stream]) -> bool:
        """Whether the packet is decoded and never shown (VP8's alternate references: RFC 6386, 9.1)."""
        return self.codec == "vp8" and not memoryview(packet)[0] & 0x10

    def _units(self, packet: av.packet.Packet[av.stream.Stream]) -> Iterator[memoryview]:
        """The first two bytes of every NAL unit."""
        data = memoryview(packet)
        if not self._length_size:
            yield from _annex_b(bytes(data))
            return
        position = 0
        while position + self._length_size + 2 <= len(data):
            start = position + self._length_size
            yield data[start : start + 2]
            position = start + int.from_bytes(data[position:start], "big")


class Picture(enum.Enum):
    """Kinds of pictures."""

    INTRA = "I"
    PREDICTED = "P"
    BIDIRECTIONAL = "B"  # shown before the one that was decoded before it


# A picture's start code, how many bits further its type lies, and of how many (ISO/IEC 14496-2, 6.2.5;
# 13818-2, 6.2.3).
_PICTURES = {
    "mpeg4": (b"\0\0\1\xb6", 0, 2),
    "mpeg1video": (b"\0\0\1\0", 10, 3),
    "mpeg2video": (b"\0\0\1\0", 10, 3),
}
TYPED = set(_PICTURES)


def picture_type(codec: str, packet: av.packet.Packet[av.stream.Stream]) -> Picture | None:
    """Of an MPEG packet's picture; None where it holds none or several (DivX's packed bitstream, fields)."""
    code, skip, bits = _PICTURES[codec]
    parts = bytes(packet).split(code)
    if len(parts) != 2 or len(parts[1]) < 2:
        return None
    number = int.from_bytes(parts[1][:2], "big") >> 16 - skip - bits & (1 << bits) - 1
    kinds = (Picture.INTRA, Picture.PREDICTED, Picture.BIDIRECTIONAL)
    first = 0 if codec == "mpeg4" else 1
    return kinds[number - first] if 0 <= number - first < 3 else Picture.PREDICTED


_ADTS_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_FLAC_RATES = {
    1: 88200, 2: 176400, 3: 192000, 4: 8000, 5: 16000, 6: 22050, 7: 24000, 8: 32000, 9: 44100, 10: 48000,
    11: 96000,
}  # fmt: skip
_MPEG_AUDIO = ("mp1", "mp2", "mp3")
_MPEG_RATES = {0: 44100, 1: 48000, 2: 32000}
_AC3_RATES = {0: 48000, 1: 44100, 2: 32000}
RATED = {"aac", "flac", "ac3", "eac3", *_MPEG_AUDIO}  # codecs whose packets may say their rate
# Demuxers that count samples, all at the first packet's rate, where a packet may say another.
COUNTS_SAMPLES = {("aac", "aac"), ("flac", "flac"), ("ogg", "flac")}


def sample_rate(codec: str, packet: av.packet.Packet[av.stream.Stream]) -> int | None:
    """Hz that the header of an ADTS, FLAC, MPEG or AC-3 frame says (ISO/IEC 14496-3, 1.A.2; RFC 9639, 9.1;
    ISO/IEC 11172-3, 2.4.2.3; ETSI TS 102 366, 4.4.1.3)."""
    head = bytes(memoryview(packet)[:5])
    if len(head) < 5:
        return None
    if codec in ("ac3", "eac3"):
        return _AC3_RATES.get(head[4] >> 6) if head[:2] == b"\x0bw" else None
    if head[0] != 0xFF:
        return None
    if codec in _MPEG_AUDIO:
        full = _MPEG_RATES.get(head[2] >> 2 & 3)
        halvings = {3: 0, 2: 1, 0: 2}.get(head[1] >> 3 & 3)  # MPEG-1, 2, 2.5
        return full >> halvings if full and halvings is not None else None
    if codec == "aac" and head[1] & 0xF6 == 0xF0 and head[2] >> 2 & 15 < len(_ADTS_RATES):
        return _ADTS_RATES[head[2] >> 2 & 15]
    return _FLAC_RATES.get(head[2] & 15) if codec == "flac" and head[1] & 0xFC == 0xF8 else None


def _length_size(codec: str, extradata: bytes | None) -> int:
    """Bytes of a NAL unit's length; 0 for start codes (avcC and hvcC: ISO/IEC 14496-15)."""
    if not extradata or extradata[0] != 1:
        return 0
    if codec == "h264" and len(extradata) > 4:
        return (extradata[4] & 3) + 1
    if codec == "hevc" and len(extradata) > 21:
        return (extradata[21] & 3) + 1
    return 0


def _annex_b(data: bytes) -> Iterator[memoryview]:
    position = data.find(b"\0\0\1")
    while 0 <= position < len(data) - 4:
        yield memoryview(data)[position + 3 : position + 5]
        position = data.find(b"\0\0\1", position + 3)
