"""`decode`: one file on the grid, without Beam."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from decoders.limits import Limits
from decoders.processes.pool import DecoderPool
from decoders.processes.worker import DecodeJob
from pipelines.errors import UsageError
from schemas.grid import SAMPLE_RATE, STEP_NS, FrameAt, Grid, Span, ns_to_seconds, seconds_to_ns
from schemas.media import ClipRequest, DecodedClip, MediaInfo, Modality

_RGB = "rgb"


@dataclass(frozen=True, repr=False)
class Clip:
    """A span of one file on the grid of 0.5 s steps.

    Attributes:
        path, span_ns: what was decoded: [start, end) in the media's own time.
        frames: uint8 [steps, height, width, 3], RGB, upright, square pixels: each step's frame, black where
            there is none; a still picture's one step; None where the file has no pictures.
        frame_times: float64 [steps], seconds of the media's time; NaN where a step has no frame.
        sound: float32 [samples], mono, 16 kHz, from the span's first instant; None where the file has none.
        visual_mask, audio_mask: bool [steps], the step has a frame, has sound. By `favor` there are two
            frames a second of the video's own, not always as many as steps of sound.
        remarks: what the media have about them, as KEY.json has it (schemas/reasons.py).
    """

    path: str
    span_ns: tuple[int, int]
    frames: npt.NDArray[np.uint8] | None
    frame_times: npt.NDArray[np.float64]
    sound: npt.NDArray[np.float32] | None
    visual_mask: npt.NDArray[np.bool_]
    audio_mask: npt.NDArray[np.bool_]
    is_image: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        return len(self.visual_mask)

    def __len__(self) -> int:
        return self.steps

    def __repr__(self) -> str:
        start, end = (ns_to_seconds(instant) for instant in self.span_ns)
        held = []
        if self.frames is not None:
            height, width = self.frames.shape[1:3]
            held.append(f"{int(self.visual_mask.sum())} frames of {width} x {height}")
        if self.sound is not None:
            held.append(f"{len(self.sound) / SAMPLE_RATE:g} s of sound")
        return f"<Clip {self.path} [{start:g}, {end:g}) s: {self.steps} steps, {', '.join(held)}>"


def decode(
    path: str | PathLike[str],
    *,
    start: float | str = 0,
    end: float | str | None = None,
    frame_at: str = "center",
    decoder: str = "pyav",
) -> Clip:
    """One file's pictures and sound on the grid, as a build would give them to its encoders.

    The file is decoded in a process of its own: a hostile one ends that, not this. Two pictures a second are
    held at their own size: give `end` for a long film.

    Args:
        path: a file on this machine's disk.
        start, end: seconds of the media's own time; None: to its end.
        frame_at: which instant of a step picks its frame: center, start, or favor.
        decoder: pyav, decord or nvdec.

    Raises:
        MediaError: the file cannot be decoded; `reason` is one of the ledger's.
        UsageError: an empty span, or one that begins after the media's end.
    """
    name = fspath(path)
    try:
        at = FrameAt(frame_at)
    except ValueError as error:
        raise UsageError(f"frame_at {frame_at!r} is none of {', '.join(FrameAt)}") from error
    absolute = str(Path(name).absolute())  # the decoding process has a working directory of its own
    pool = DecoderPool(1, Limits())
    try:
        info = pool.probe(absolute)
        image = info.video is None and info.audio is None
        grid = Grid(Span(0, STEP_NS) if image else _span(name, info, start, end), at)
        request = ClipRequest(grid, frames=info.video is not None, audio=info.audio is not None)
        job = DecodeJob(absolute, (request,), {_RGB: np.ascontiguousarray}, decoder, is_image=image)
        [decoded] = pool.submit(job)
    finally:
        pool.close()
    return _clip(name, decoded, image)


def _span(name: str, info: MediaInfo, start: float | str, end: float | str | None) -> Span:
    try:
        start_ns = seconds_to_ns(start)
        end_ns = info.duration_ns if end is None else min(seconds_to_ns(end), info.duration_ns)
        return Span(start_ns, end_ns)
    except ValueError as error:
        length = ns_to_seconds(info.duration_ns)
        raise UsageError(f"{name} lasts {length:g} s: nothing lies in [{start}, {end}) s") from error


def _clip(name: str, decoded: DecodedClip, image: bool) -> Clip:
    grid, frames, audio = decoded.grid, decoded.frames, decoded.audio
    none = np.zeros(grid.steps, np.bool_)
    pictures: npt.NDArray[Any] | None = None
    times = np.full(grid.steps if frames is None else len(frames.frame_of_step), np.nan)
    if frames is not None:
        mask = frames.frame_of_step >= 0
        times[mask] = frames.pts_ns[mask] / 1e9
        if mask.any():
            pictures = np.asarray(frames.prepared[_RGB])[np.maximum(frames.frame_of_step, 0)]
            pictures[~mask] = 0
    return Clip(
        path=name,
        span_ns=(grid.span.start_ns, grid.span.end_ns),
        frames=pictures,
        frame_times=times,
        sound=None if audio is None else audio.waveform.copy(),  # the user's own: what came is read-only
        visual_mask=none if frames is None else frames.frame_of_step >= 0,
        audio_mask=none if audio is None else audio.mask.astype(np.bool_),
        is_image=image,
        remarks=tuple(dict.fromkeys(said for part in (frames, audio) if part for said in part.remarks)),
    )


def modality_of(clip: Clip) -> Modality:
    """Of its pictures."""
    return Modality.IMAGE if clip.is_image else Modality.VIDEO
