"""Channels -> one, as `ffmpeg -ac 1` mixes them."""

from __future__ import annotations

import functools

import av
import av.audio.frame
import av.filter
import numpy as np
import numpy.typing as npt

_FULL_SCALE = {"s16": 1 << 15, "s32": 1 << 31, "s64": 1 << 63}


@functools.cache
def downmix_matrix(layout: str, channels: int) -> npt.NDArray[np.float32]:
    """float32 [channels]: libswresample's own coefficients, read off by mixing one impulse a channel.

    A layout that libswresample cannot mix counts as equal channels.
    """
    if channels == 1:
        return np.ones(1, np.float32)
    graph = av.filter.Graph()
    source = f"sample_rate=48000:sample_fmt=fltp:channel_layout={layout}:time_base=1/48000"
    # rematrix_maxval: the weights add up to at most 1, as they do in the command's 16-bit output.
    try:
        graph.link_nodes(
            graph.add("abuffer", source),
            graph.add("aresample", "ocl=mono:osf=flt:rematrix_maxval=1"),
            graph.add("abuffersink"),
        ).configure()
        frame = av.AudioFrame.from_ndarray(np.eye(channels, dtype=np.float32), "fltp", layout)
        frame.sample_rate = 48000
        frame.pts = 0
        graph.push(frame)
        return graph.pull().to_ndarray().reshape(-1)[:channels].astype(np.float32)
    except (av.error.FFmpegError, ValueError):
        return np.full(channels, 1 / channels, np.float32)


def mono(frame: av.audio.frame.AudioFrame) -> npt.NDArray[np.float32]:
    """float32 [samples], full scale 1; what is not a number is silence."""
    channels = frame.layout.nb_channels
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, channels).T
    name = frame.format.packed.name
    if name == "u8":
        samples = (samples.astype(np.float32) - 128) / 128
    elif name in _FULL_SCALE:
        samples = samples.astype(np.float32) / _FULL_SCALE[name]
    else:
        samples = np.nan_to_num(samples.astype(np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
    return downmix_matrix(frame.layout.name, channels) @ samples
