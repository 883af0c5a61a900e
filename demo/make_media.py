"""Renders the demo's clips: a voice reads Jane Austen while the camera moves over a photograph.

Each clip is of another kind, so that the demo shows what a corpus is made of: H.264 with AAC, VP9 with
Opus, sound that starts late, pictures without sound, sound without pictures, a still image.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

MEDIA = Path(__file__).parent / "media"
SIZE = (320, 240)
FPS = 25
RATE = 48_000


@dataclass(frozen=True)
class Clip:
    """One file to render. `late_s`: silence in the container before its sound starts."""

    name: str
    picture: str | None
    speech: str | None
    video_codec: str = "libx264"
    audio_codec: str = "aac"
    late_s: float = 0.0
    seconds: float = 6.0


CLIPS = (
    Clip("astronaut.mp4", "astronaut.jpg", "sense_and_sensibility_0870.flac"),
    Clip("rocket.webm", "rocket.jpg", "sense_and_sensibility_0890.flac", "libvpx-vp9", "libopus"),
    Clip("cat_sound_starts_late.mkv", "cat.jpg", "sense_and_sensibility_0920.flac", late_s=0.7),
    Clip("galaxies_silent.mp4", "galaxies.jpg", None),
    Clip("voice_only.ogg", None, "sense_and_sensibility_0880.flac", audio_codec="libopus"),
)


def make_media(folder: Path) -> None:
    """Writes the clips, a still image and a spoken question about it."""
    folder.mkdir(parents=True, exist_ok=True)
    for clip in CLIPS:
        render(clip, folder / clip.name)
    shutil.copy(MEDIA / "pictures" / "coffee.jpg", folder / "coffee.jpg")
    shutil.copy(MEDIA / "speech" / "sense_and_sensibility_0930.flac", folder / "spoken_about_coffee.flac")


def render(clip: Clip, path: Path) -> None:
    """Encodes one clip; the picture lasts as long as the sound."""
    sound = speech(clip.speech) if clip.speech else None
    seconds = clip.seconds if sound is None else clip.late_s + len(sound) / RATE
    with av.open(str(path), "w") as container:
        video = (
            container.add_stream(clip.video_codec, rate=FPS, options={"g": "50"}) if clip.picture else None
        )
        audio = container.add_stream(clip.audio_codec, rate=RATE, layout="mono") if clip.speech else None
        if clip.picture and isinstance(video, av.VideoStream):
            video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
            for number, picture in enumerate(pan(MEDIA / "pictures" / clip.picture, round(seconds * FPS))):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        if sound is not None and isinstance(audio, av.AudioStream):
            whole = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            whole.sample_rate, whole.time_base = RATE, Fraction(1, RATE)
            whole.pts = round(clip.late_s * RATE)
            container.mux(audio.encode(whole))
            container.mux(audio.encode(None))


def speech(name: str) -> npt.NDArray[np.float32]:
    """float32 [n] at 48 kHz, mono."""
    resampler = av.AudioResampler("fltp", "mono", RATE)
    with av.open(str(MEDIA / "speech" / name)) as container:
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float32)


def pan(path: Path, frames: int) -> Iterator[npt.NDArray[np.uint8]]:
    """uint8 [240, 320, 3]: a window that moves over the picture from its left top to its right bottom."""
    picture = Image.open(path).convert("RGB")
    width = min(picture.width, picture.height * SIZE[0] // SIZE[1]) * 3 // 4
    height = width * SIZE[1] // SIZE[0]
    for number in range(frames):
        share = number / max(1, frames - 1)
        left, top = (picture.width - width) * share, (picture.height - height) * share
        yield np.asarray(
            picture.resize(SIZE, Image.Resampling.BICUBIC, (left, top, left + width, top + height))
        )
