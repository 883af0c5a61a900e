"""What a probe says of one media file, and what decoding one span of it gives."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.grid import Grid, Nanoseconds, Span

#: What becomes of one picture: uint8 [H, W, 3] RGB, upright, square pixels -> an array, or bytes (a JPEG).
#: Importable (a function or a `functools.partial` of one): it runs in a worker process. A MediaError that it
#: raises is the picture's fault.
FrameTransform = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.generic] | bytes]


class Modality(enum.StrEnum):
    """A kind of medium that a row names and a sample holds."""

    VIDEO = "video"
    AUDIO = "audio"
    IMAGE = "image"


@dataclass(frozen=True, slots=True)
class VideoStream:
    """A moving-picture stream. Times count from the container's time zero; `width` and `height` are as
    displayed (rotation applied, square pixels)."""

    codec: str
    width: int
    height: int
    start_ns: int
    end_ns: int
    frames: int


@dataclass(frozen=True, slots=True)
class AudioStream:
    """A sound stream. Times count from the container's time zero."""

    codec: str
    sample_rate: int
    channels: int
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """One media file, read packet by packet: what it holds, not what its header promises.

    `container` is FFmpeg's demuxer name ("image" for a still picture). A still picture has an
    `image_size`, no streams and no duration; an animated GIF has all of them. `mended`: favor-data 0.1.0 may
    have placed its frames or its sound elsewhere.
    """

    container: str
    duration_ns: int
    video: VideoStream | None = None
    audio: AudioStream | None = None
    image_size: tuple[int, int] | None = None  # width, height, upright
    mended: bool = False


@dataclass(frozen=True, slots=True)
class ClipRequest:
    """One span to decode: which grid, and which of the streams are wanted; `film`: and every frame, small."""

    grid: Grid
    frames: bool
    audio: bool
    film: bool = False


@dataclass(frozen=True)
class DecodedFrames:
    """The pictures of one span; a frame that several steps show is held once.

    Attributes:
        frame_of_step: int32 [steps], row of the step's frame in every array of `prepared`; -1: missing.
        pts_ns: int64 [steps], presentation time of the step's frame in the media's time; -1: missing.
        prepared: transform name -> what that transform made of each distinct frame, in order of time:
            an array [distinct, ...] if it returns arrays, a list of bytes if it returns bytes.
        remarks: what lies in the span, as schemas/reasons.py has it.
    """

    frame_of_step: npt.NDArray[np.int32]
    pts_ns: Nanoseconds
    prepared: Mapping[str, npt.NDArray[np.generic] | list[bytes]]
    remarks: tuple[str, ...] = ()

    @property
    def mask(self) -> npt.NDArray[np.uint8]:
        """uint8 [steps]: 1 where the step has a frame."""
        return (self.frame_of_step >= 0).astype(np.uint8)


@dataclass(frozen=True)
class DecodedAudio:
    """The sound of one span.

    Attributes:
        waveform: float32 [span.samples], mono, 16 kHz, from the span's first instant; zero where the
            media has no sound.
        mask: uint8 [steps], 1 where any sound lies inside the step and the span.
        remarks: what lies in the span, as schemas/reasons.py has it.
    """

    waveform: npt.NDArray[np.float32]
    mask: npt.NDArray[np.uint8]
    remarks: tuple[str, ...] = ()


FILM_SIDE = 64  # rows and columns of a film's frames; proportions are not kept


@dataclass(frozen=True)
class DecodedFilm:
    """Every frame that is on screen in one span, but for those that follow another within 10 ms.

    Attributes:
        frames: uint8 [m, 64, 64], luma.
        pts_ns: int64 [m], ascending, presentation times in the media's time.
    """

    frames: npt.NDArray[np.uint8]
    pts_ns: Nanoseconds


@dataclass(frozen=True)
class DecodedClip:
    """What decoding one ClipRequest gave."""

    grid: Grid
    frames: DecodedFrames | None
    audio: DecodedAudio | None
    film: DecodedFilm | None = None

    @property
    def span(self) -> Span:
        return self.grid.span
