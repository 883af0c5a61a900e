"""What `--keep frames,audio` stores beside the features: JPEG pictures and FLAC sound."""

from __future__ import annotations

from io import BytesIO

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from schemas.grid import SAMPLE_RATE
from schemas.reasons import MediaError, Reason

JPEG_QUALITY = 92
JPEG_SIDE = 65_500  # libjpeg's limit (JPEG_MAX_DIMENSION); the format's is 65,535
_FLAC_BLOCK = 4096


def jpeg(picture: npt.NDArray[np.uint8]) -> bytes:
    """JPEG file of uint8 [H, W, 3] RGB, at its own size.

    Raises:
        MediaError: too_large, for a picture that no JPEG can hold.
    """
    height, width = picture.shape[:2]
    if max(height, width) > JPEG_SIDE:
        detail = (
            f"a picture of {width} x {height}: a JPEG's sides end at {JPEG_SIDE}, so --keep frames cannot"
        )
        raise MediaError(Reason.TOO_LARGE, detail)
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def flac(waveform: npt.NDArray[np.float32]) -> bytes:
    """FLAC file, 16 bits, 16 kHz, of a mono waveform float32 [n] in [-1, 1]."""
    samples = np.rint(np.clip(waveform, -1.0, 1.0) * 32767).astype(np.int16)
    buffer = BytesIO()
    with av.open(buffer, "w", format="flac", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE, layout="mono", format="s16")
        for start in range(0, len(samples), _FLAC_BLOCK):
            block = np.ascontiguousarray(samples[None, start : start + _FLAC_BLOCK])
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()
