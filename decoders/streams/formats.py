"""Which files are pictures: by their first bytes, never by their names."""

from __future__ import annotations

import mmap
import re

from PIL import Image

from decoders.timeline.container import JPEG_START
from decoders.timeline.files import MediaFile, opened
from schemas.reasons import MediaError, Reason

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "HEIF", "JXL", "PPM", "JPEG2000")
# What moves in them is a video, as browsers show it.
MAY_MOVE = ("GIF", "PNG", "WEBP", "AVIF")
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"}
_BEGINNINGS = (
    JPEG_START, b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*",
    b"\0\0\0\x0cjP  ", b"\xff\x0a", b"\0\0\0\x0cJXL ",
)  # fmt: skip
# Read by nothing here, and other than they look to a demuxer that guesses.
_REFUSED = {
    b"8BPS": "Photoshop", b"FUJIFILMCCD-RAW": "a camera's raw format", b"IIRO": "a camera's raw format",
    b"IIU\0": "a camera's raw format", b"v/1\x01": "OpenEXR", b"#?RADIANCE": "Radiance HDR",
    b"BPG\xfb": "BPG", b"qoif": "QOI", b"\x49\x49\xbc": "JPEG XR",
}  # fmt: skip
_DNG_VERSION = 50706  # a TIFF tag: what Pillow would read of such a file is its thumbnail
_MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd7])")  # of a JPEG: no byte of sound-alike data
_SIZED = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # start of a frame
_END, _SCAN, _APP2 = 0xD9, 0xDA, 0xE2


def looks_like_image(head: bytes) -> bool:
    """Whether a file's first bytes are those of a picture.

    Raises:
        MediaError: refused_format for a format of pictures that is not read here, by its name.
    """
    for beginning, name in _REFUSED.items():
        if head.startswith(beginning):
            raise MediaError(Reason.REFUSED_FORMAT, f"a picture in {name}: save it as PNG or JPEG")
    if head[4:12] == b"ftypcrx ":
        raise MediaError(Reason.REFUSED_FORMAT, "a picture in a camera's raw format: save it as PNG or JPEG")
    return (
        head.startswith(_BEGINNINGS)
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS)
        or (head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in (b"\n", b" ", b"\r"))
    )


def refuse_raw(image: Image.Image) -> None:
    """Raises:
    MediaError: refused_format for a DNG, of which Pillow would give a thumbnail.
    """
    if image.format == "TIFF" and _DNG_VERSION in getattr(image, "tag_v2", ()):
        raise MediaError(Reason.REFUSED_FORMAT, "a picture in DNG, a raw format: save it as PNG or JPEG")


def is_motion_jpeg(file: MediaFile, head: bytes) -> bool:
    """Whether a file is one JPEG after another, of one size: a video, not a photo with others behind it
    (MPF: a preview, a gain map, the other eye's)."""
    if not head.startswith(JPEG_START):
        return False
    with opened(file) as descriptor, mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as data:
        first = _jpeg(data, 0)
        if first is None or data[first[0] : first[0] + 3] != JPEG_START:
            return False
        second = _jpeg(data, first[0])
        return second is not None and first[1] == second[1]


def _jpeg(data: mmap.mmap, start: int) -> tuple[int, bytes] | None:
    """Where the JPEG that begins at `start` ends, and its height and width as they stand there; None where it
    does not end, or says that others belong to it (CIPA DC-007)."""
    size, position = b"", start + 2
    while found := _MARKER.search(data, position):
        marker, position = found[1][0], found.end()
        if marker == _END:
            return position, size
        length = int.from_bytes(data[position : position + 2], "big")
        if marker == _APP2 and data[position + 2 : position + 6] == b"MPF\0":
            return None
        if marker in _SIZED:
            size = data[position + 3 : position + 7]
        position += length
    return None
