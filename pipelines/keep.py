"""What `--keep frames,audio` stores beside the features: JPEG pictures and FLAC sound."""

from __future__ import annotations

from io import BytesIO

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from schemas.grid import SAMPLE_RATE

JPEG_QUALITY = 92
_FLAC_BLOCK = 4096


def jpeg(picture: npt.NDArray[np.uint8]) -> bytes:
    """JPEG file of uint8 [H, W, 3] RGB, at its own size."""
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
