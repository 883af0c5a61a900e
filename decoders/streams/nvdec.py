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


# The first shares the process's primary context. FFmpeg refuses that (ENOTSUP) where CUDA is in use already
# with other flags than its own, as torch does: then every open file has a context of its own.
_CONTEXTS: tuple[dict[str, object], ...] = ({"primary_ctx": "1"}, {})
_held: list[HWAccel] = []  # as long as one is alive, its context need not be made anew for every file


@functools.cache
def accelerator(gpu: int) -> HWAccel:
    """What `av.open` wants.

    Raises:
        NoHardwareDecoderError: FFmpeg cannot reach that GPU.
    """
    reasons: list[Exception] = []
    for options in _CONTEXTS:
        settings = HWAccel("cuda", str(gpu), allow_software_fallback=True, options=options)
        try:
            _held.append(settings.create(av.Codec(CODEC, "r")))
        except (av.error.FFmpegError, NotImplementedError) as error:
            reasons.append(error)
        else:
            return settings
    detail = f"FFmpeg cannot reach NVIDIA GPU {gpu} (its driver has to be here too): {reasons[-1]}"
    raise NoHardwareDecoderError(detail) from reasons[-1]
