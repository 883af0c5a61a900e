"""NVIDIA's hardware decoder, through FFmpeg: the pictures come back as the planes that a CPU would decode.

What the GPU does not know (Theora, 10-bit 4:2:2; AV1, dav1d's) is decoded on the CPU, as without it.
"""

from __future__ import annotations

import functools

import av
import av.error
from av.codec.hwaccel import HWAccel

CODEC = "h264"  # every GPU with a decoder has it
# Interleaved chroma, as the GPU gives it -> the planar format of the same samples, as the CPU gives it.
PLANAR = {"nv12": "yuv420p", "p010le": "yuv420p10le", "p016le": "yuv420p16le"}


class NoHardwareDecoderError(RuntimeError):
    """This machine has no such GPU, driver or decoder library."""


@functools.cache
def accelerator(gpu: int) -> HWAccel:
    """What `av.open` wants; a process's decoders on one GPU share its primary context.

    Raises:
        NoHardwareDecoderError: FFmpeg cannot reach that GPU.
    """
    settings = HWAccel("cuda", str(gpu), allow_software_fallback=True, options={"primary_ctx": "1"})
    try:
        settings.create(av.Codec(CODEC, "r"))
    except (av.error.FFmpegError, NotImplementedError) as error:
        detail = f"FFmpeg cannot reach NVIDIA GPU {gpu} (its driver has to be here too): {error}"
        raise NoHardwareDecoderError(detail) from error
    return settings
