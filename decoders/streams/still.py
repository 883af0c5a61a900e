"""Still pictures, through Pillow: upright (EXIF), RGB, the first frame of an animation; and the frames of
animations that FFmpeg does not read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import av
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from decoders.limits import DEFAULT, Limits
from decoders.streams.formats import FORMATS, MAY_MOVE, refuse_raw
from decoders.streams.frames import FrameCollector
from decoders.streams.video import TimedFrame
from decoders.timeline.container import read_head
from decoders.timeline.files import MediaFile, opened
from decoders.timeline.timeline import Timeline
from schemas.grid import STEP_NS, Grid, Span
from schemas.media import DecodedFrames, FrameTransform
from schemas.reasons import MediaError, Reason

_TRANSPOSED = {5, 6, 7, 8}
_ORIENTATION = 0x0112


def read_image(file: MediaFile, limits: Limits) -> tuple[tuple[int, int], bool]:
    """Width and height, upright; and whether it is an animation, which is a video too.

    Raises:
        MediaError: not_media, corrupt, too_large, refused_format.
    """
    with _opened(file, limits) as image:
        width, height = image.size
        # Pillow's HEIF and AVIF plugins turn the picture themselves, and say that it is upright.
        turned = image.getexif().get(_ORIENTATION) in _TRANSPOSED
        size = (height, width) if turned else (width, height)
        return size, image.format in MAY_MOVE and getattr(image, "is_animated", False)


def decode_image(
    file: MediaFile, transforms: Mapping[str, FrameTransform], limits: Limits = DEFAULT
) -> DecodedFrames:
    """One step whose frame, at time zero, is the picture; transparency lies on white.

    Raises:
        MediaError: not_media, corrupt, too_large, refused_format, and what opening a file can give.
    """
    read_head(file)
    with _opened(file, limits) as image:
        upright = _rgb(ImageOps.exif_transpose(image))
    collector = FrameCollector(Grid(Span(0, STEP_NS)))
    collector.add(0, 0, {name: transform(upright) for name, transform in transforms.items()})
    return collector.finish()


def animation(file: MediaFile, timeline: Timeline, limits: Limits) -> Iterator[TimedFrame]:
    """Every frame of an animated WebP, in order; transparency lies on white.

    Raises:
        MediaError: corrupt, too_large.
    """
    track = timeline.video
    assert track is not None
    begins = [timeline.pts_to_ns(track, pts) for pts in track.pts.tolist()]
    ends = [*begins[1:], timeline.to_ns(track.end)]
    with _opened(file, limits) as image:
        for frame, begin, end in zip(ImageSequence.Iterator(image), begins, ends, strict=False):
            yield TimedFrame(av.VideoFrame.from_ndarray(_rgb(frame), "rgb24"), begin, end)


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
def _opened(file: MediaFile, limits: Limits) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import decoders.streams.plugins  # noqa: F401

            with (
                opened(file) as descriptor,
                open(descriptor, "rb", closefd=False) as stream,
                Image.open(stream, formats=FORMATS) as image,
            ):
                limits.check_still(image.width, image.height)
                refuse_raw(image)
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
        if isinstance(error, OSError) and error.errno is not None:  # the system's; Pillow's own have none
            raise
        raise MediaError(Reason.CORRUPT, f"the picture does not decode: {error}") from error
