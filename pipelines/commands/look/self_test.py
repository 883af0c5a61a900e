"""A film whose every step is known, made with the FFmpeg that PyAV brings, and what decoding finds in it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from decoders.processes.pool import DecoderPool
from decoders.processes.worker import DecodeJob
from schemas.grid import SAMPLE_RATE, STEP_NS, Grid, Span
from schemas.media import ClipRequest

SECONDS = 4
STEPS, FLASH_STEP = 2 * SECONDS, 3
RATE, SOUND_RATE = 20, 48_000
WIDTH, HEIGHT = 64, 48
_BLOCK = 1024


def film(folder: Path) -> Path:
    """Four seconds, black and silent but for one step: MPEG-4 pictures and AAC in an MP4."""
    path = folder / "flash.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=RATE)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = container.add_stream("aac", rate=SOUND_RATE, layout="mono")
        per_step = RATE // 2
        for number in range(STEPS * per_step):
            shade = 255 if number // per_step == FLASH_STEP else 0
            picture = av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 3), shade, np.uint8), "rgb24")
            picture.pts = number
            picture.time_base = Fraction(1, RATE)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        at = np.arange(STEPS * SOUND_RATE // 2)
        tone = 0.5 * np.sin(2 * np.pi * 880 * at / SOUND_RATE) * (at // (SOUND_RATE // 2) == FLASH_STEP)
        for first in range(0, len(tone), _BLOCK):
            block = tone[first : first + _BLOCK].astype(np.float32)[None]
            heard = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            heard.sample_rate, heard.pts, heard.time_base = SOUND_RATE, first, Fraction(1, SOUND_RATE)
            container.mux(audio.encode(heard))
        container.mux(audio.encode(None))
    return path


def found(folder: Path) -> tuple[int, int]:
    """The steps with most light and most sound, as a build's decoding process gives them."""
    request = ClipRequest(Grid(Span(0, STEPS * STEP_NS)), True, True)
    with DecoderPool(1) as pool:
        (clip,) = pool.submit(DecodeJob(str(film(folder)), (request,), {"rgb": np.copy}))
    assert clip.frames is not None
    assert clip.audio is not None
    light = np.asarray(clip.frames.prepared["rgb"])[clip.frames.frame_of_step].mean(axis=(1, 2, 3))
    sound = np.abs(clip.audio.waveform.reshape(STEPS, SAMPLE_RATE // 2)).mean(axis=1)
    return int(light.argmax()), int(sound.argmax())
