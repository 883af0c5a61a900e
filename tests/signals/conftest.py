"""Media whose signals are known, made with the ffmpeg command and read by the real decoder."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from decoders.clips import decode_clips
from decoders.probe import probe
from schemas.grid import Grid, Span
from schemas.media import ClipRequest, DecodedClip
from signals.registry import frame_transforms
from signals.signal import Measured, Pictures, Signal, Sound

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
H264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")
Make = Callable[..., Path]


def ffmpeg(*arguments: str) -> str:
    """What the command says."""
    done = subprocess.run([FFMPEG, "-nostdin", "-y", *arguments], check=True, capture_output=True, text=True)
    return done.stderr


def said(pattern: str, text: str) -> list[float]:
    """The numbers that the command said."""
    return [float(one) for one in re.findall(pattern, text)]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """make("x.wav", "-f", "lavfi", "-i", …) -> its path."""

    def made(name: str, *arguments: str) -> Path:
        ffmpeg("-v", "error", *arguments, str(tmp_path / name))
        return tmp_path / name

    return made


def decoded(path: Path) -> DecodedClip:
    info = probe(str(path))
    request = ClipRequest(Grid(Span(0, info.duration_ns)), info.video is not None, info.audio is not None)
    [clip] = decode_clips(str(path), [request], frame_transforms())
    return clip


def heard(path: Path) -> Sound:
    audio = decoded(path).audio
    assert audio is not None
    return Sound(audio.waveform, audio.mask)


def seen(path: Path) -> Pictures:
    frames = decoded(path).frames
    assert frames is not None
    return Pictures(0.0, frames.frame_of_step, {n: np.asarray(made) for n, made in frames.prepared.items()})


def of(signal: Signal, medium: Sound | Pictures) -> Measured:
    if isinstance(medium, Sound):
        assert signal.of_sound
        return signal.of_sound(medium)
    assert signal.of_pictures
    return signal.of_pictures(medium)


def number(signal: Signal, medium: Sound | Pictures) -> float:
    value = of(signal, medium).value
    assert isinstance(value, float)
    return value
