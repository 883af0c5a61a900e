"""Opening one local file and nothing else.

FFmpeg gets the bytes of an open descriptor and no protocol at all, so no demuxer can reach a second file
or the network; and a list of demuxers without playlists, image sequences and text formats, so none of
those that would try is ever asked.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from types import MappingProxyType
from typing import TypeVar

import av
import av.container
import av.logging
import av.stream
from av.codec.hwaccel import HWAccel

from decoders.limits import Limits
from decoders.timeline.files import MediaFile, opened
from schemas.reasons import MediaError, Reason

SNIFF_BYTES = 4096
JPEG_START = b"\xff\xd8\xff"

DEMUXERS = (
    "mov,matroska,webm,avi,flv,live_flv,mpegts,mpeg,mpegvideo,m4v,h264,hevc,vvc,obu,av1,ivf,ogg,asf,rm,"
    "mxf,nut,dv,gxf,wtv,yuv4mpegpipe,mjpeg,gif,apng,wav,w64,aiff,caf,flac,mp3,aac,ac3,eac3,dts,truehd,amr,au,"
    "wv,ape,tta,mpc,mpc8,loas,latm,voc,tak,dsf"
)

# Texts that name other files: HLS, concat, SDP, DASH and other XML, playlists, subtitles.
REFUSED_TEXTS = (
    b"#extm3u", b"ffconcat", b"v=0", b"<?xml", b"<mpd", b"<smil", b"<asx", b"<svg", b"[playlist]",
    b"[reference]", b"webvtt", b"rtsptext", b"smptest", b"file ", b"# vobsub", b";ffmetadata",
)  # fmt: skip

# How containers begin: bytes that begin so and cannot be opened are damaged media, not something else.
SIGNATURES = (b"\x1aE\xdf\xa3", b"RIFF", b"OggS", b"fLaC", b"FLV", b"ID3", b"0&\xb2u\x8ef\xcf\x11", b"FORM")
BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")  # MPEG-4's, after four bytes of size

_LOG = logging.getLogger(__name__)
_GENPTS = 1  # AVFMT_FLAG_GENPTS

av.logging.set_level(None)


class _Bytes:
    """What FFmpeg reads of a descriptor. Its own `fd:` it takes for a network: where sound and pictures lie
    far apart in an MP4 it reads 16 MiB at every turn, and the same again (700 MB in 15 s instead of 0.8)."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, size: int) -> bytes:
        return os.read(self._descriptor, size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return os.lseek(self._descriptor, offset, whence)

    def tell(self) -> int:
        return os.lseek(self._descriptor, 0, os.SEEK_CUR)


def read_head(file: MediaFile) -> bytes:
    """The first bytes of a regular file.

    Raises:
        MediaError: not_found, unreadable, empty_file, or refused_format for a text that names other files.
        OSError: the system has no descriptors left, or its disk fails.
    """
    with opened(file) as descriptor:
        head = os.pread(descriptor, SNIFF_BYTES, 0)
    if not head:
        raise MediaError(Reason.EMPTY_FILE, "no bytes")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(REFUSED_TEXTS):
        raise MediaError(Reason.REFUSED_FORMAT, "a playlist or a text that names other files")
    return head


@contextmanager
def open_media(
    file: MediaFile,
    limits: Limits,
    options: Mapping[str, str] = MappingProxyType({}),
    hardware: HWAccel | None = None,
) -> Iterator[av.container.InputContainer]:
    """A demuxer on one local file, with `options` for it; its decoders are those of `hardware` where it can.

    Raises:
        MediaError: not_found, unreadable, empty_file, not_media, refused_format, corrupt, too_large.
    """
    head = read_head(file)
    with opened(file) as descriptor:
        container = _open_on(hardware, descriptor, limits, head, options)
        try:
            if len(container.streams) > limits.streams:
                raise MediaError(Reason.TOO_LARGE, f"{len(container.streams)} streams")
            yield container
        finally:
            container.close()


def _open_on(
    hardware: HWAccel | None, descriptor: int, limits: Limits, head: bytes, options: Mapping[str, str]
) -> av.container.InputContainer:
    """A file that opens without the GPU but not with it is the CPU's: its pictures are the same."""
    if hardware is not None:
        try:
            return _open(descriptor, limits, head, options, hardware)
        except MediaError as error:
            _LOG.info("opened without the GPU: %s", error.detail)
            os.lseek(descriptor, 0, os.SEEK_SET)
    return _open(descriptor, limits, head, options, None)


def _open(
    descriptor: int, limits: Limits, head: bytes, more: Mapping[str, str], hardware: HWAccel | None
) -> av.container.InputContainer:
    options = {
        **more,
        "protocol_whitelist": "none",
        "format_whitelist": DEMUXERS,
        "max_streams": str(limits.streams + 1),
        "max_pixels": str(limits.pixels),
    }
    try:
        name = "mjpeg" if head.startswith(JPEG_START) else None  # else taken for a single picture
        given = _Bytes(descriptor)
        container = av.open(given, format=name, options=options, metadata_errors="replace", hwaccel=hardware)
        # Guessed timestamps are worse than none.
        container.flags &= ~_GENPTS
        assert isinstance(container, av.container.InputContainer)
        return container
    except av.error.ArgumentError as error:  # what a demuxer outside `format_whitelist` gives
        raise MediaError(Reason.REFUSED_FORMAT, "not a format that is read here") from error
    except av.error.InvalidDataError as error:
        if head.startswith(SIGNATURES) or head[4:8] in BOXES:
            raise MediaError(Reason.CORRUPT, "damaged or cut short: its header cannot be read") from error
        raise MediaError(Reason.NOT_MEDIA, "no demuxer recognises it") from error
    except av.error.FFmpegError as error:
        raise MediaError(Reason.CORRUPT, f"cannot be opened: {error.strerror}") from error
    except MemoryError as error:
        raise MediaError(Reason.TOO_LARGE, "out of memory while opening") from error


StreamT = TypeVar("StreamT", bound=av.stream.Stream)


def stream_at(container: av.container.InputContainer, index: int, kind: type[StreamT]) -> StreamT:
    """The stream of that index, known to be of that kind."""
    stream = container.streams[index]
    assert isinstance(stream, kind)
    return stream


def time_base(stream: av.stream.Stream) -> Fraction:
    """Seconds a tick.

    Raises:
        MediaError: corrupt, where the header gives none.
    """
    if not stream.time_base:
        raise MediaError(Reason.CORRUPT, "a stream without a time base")
    return stream.time_base
