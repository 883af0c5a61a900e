"""Still pictures, through Pillow: upright (EXIF), RGB, the first frame of an animation."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from decoders.limits import DEFAULT, Limits
from decoders.streams.frames import FrameCollector
from decoders.timeline.container import read_head
from schemas.grid import STEP_NS, Grid, Span
from schemas.media import DecodedFrames, FrameTransform
from schemas.reasons import MediaError, Reason

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "PPM", "JPEG2000")
_TRANSPOSED = {5, 6, 7, 8}
_ORIENTATION = 0x0112


def looks_like_image(head: bytes) -> bool:
    """Whether a file's first bytes are those of a still picture."""
    return (
        head.startswith(
            (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP  ")
        )
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis"))
        or (head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in (b"\n", b" ", b"\r"))
    )


def read_image(path: str, limits: Limits) -> tuple[tuple[int, int], bool]:
    """Width and height, upright; and whether it is an animated GIF, which is a video too.

    Raises:
        MediaError: not_media, corrupt, too_large.
    """
    with _opened(path, limits) as image:
        width, height = image.size
        turned = image.getexif().get(_ORIENTATION) in _TRANSPOSED
        size = (height, width) if turned else (width, height)
        return size, image.format == "GIF" and getattr(image, "is_animated", False)


def decode_image(
    path: str, transforms: Mapping[str, FrameTransform], limits: Limits = DEFAULT
) -> DecodedFrames:
    """One step whose frame, at time zero, is the picture; transparency lies on white.

    Raises:
        MediaError: not_media, corrupt, too_large, and what opening a file can give.
    """
    read_head(path)
    with _opened(path, limits) as image:
        upright = _rgb(ImageOps.exif_transpose(image))
    collector = FrameCollector(Grid(Span(0, STEP_NS)))
    collector.add(0, 0, {name: transform(upright) for name, transform in transforms.items()})
    return collector.finish()


def _rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    elif image.mode.startswith("I;16") or image.mode in ("I", "F"):
        samples = np.asarray(image, np.float32)
        full = 65535.0 if image.mode != "F" else max(1.0, float(np.nanmax(samples)))
        image = Image.fromarray((np.clip(samples / full, 0, 1) * 255 + 0.5).astype(np.uint8))
    return np.asarray(image.convert("RGB"))


@contextmanager
def _opened(path: str, limits: Limits) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > limits.pixels:
                    raise MediaError(Reason.TOO_LARGE, f"a picture of {image.width} x {image.height}")
                yield image
    except UnidentifiedImageError as error:
        raise MediaError(Reason.NOT_MEDIA, "not a picture that Pillow knows") from error
    except (Image.DecompressionBombError, MemoryError) as error:
        raise MediaError(Reason.TOO_LARGE, str(error)) from error
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
        KeyError,
        TypeError,
        ZeroDivisionError,
    ) as error:
        raise MediaError(Reason.CORRUPT, f"the picture does not decode: {error}") from error
