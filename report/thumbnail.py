"""A frame as small as people look at it here."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE = 96  # pixels, the shorter one
_QUALITY = 85


def thumbnail(picture: npt.NDArray[np.uint8]) -> bytes:
    """A frame transform: JPEG of uint8 [H, W, 3] RGB, its shorter side SIDE, or as it is if that is less."""
    shrunk = Image.fromarray(picture)
    if (scale := SIDE / min(shrunk.size)) < 1:
        width, height = (max(1, round(side * scale)) for side in shrunk.size)
        shrunk = shrunk.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2)
    stream = io.BytesIO()
    shrunk.save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()
