"""One process that decodes one item after another for a DecoderPool.

It opens no file: the parent sends it each one open, as often as there may be readers of it at once.
"""

from __future__ import annotations

import pickle
import socket
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from av.error import FFmpegError

from decoders.clips import decode_clips
from decoders.limits import Limits
from decoders.probe import probe
from decoders.processes import isolation, wire
from decoders.streams import nvdec
from decoders.streams.still import decode_image
from decoders.timeline.files import OpenedFile
from schemas.grid import STEP_NS, Grid, Span
from schemas.media import ClipRequest, DecodedClip, FrameTransform
from schemas.reasons import MediaError, Reason

IMAGE_GRID = Grid(Span(0, STEP_NS))
READERS = 3  # of a file at once, beside those of its pictures


@dataclass(frozen=True)
class DecodeJob:
    """One file and what is wanted of it.

    Attributes:
        requests: spans, in any order; clips come in order of their starts. Ignored for an image.
        transforms: importable functions (or partials of them): they run in a worker.
        gpu: that the decoder nvdec runs on.
        audio_track: decoders/timeline/choice.py.
        first_channel: of the sound, instead of all channels mixed.
        resampled: its sound may be at another rate than 16 kHz; without, the worker does without torch.
    """

    path: str
    requests: tuple[ClipRequest, ...]
    transforms: Mapping[str, FrameTransform] = field(default_factory=dict)
    decoder: str = "pyav"
    gpu: int = 0
    audio_track: str = ""
    first_channel: bool = False
    is_image: bool = False
    resampled: bool = True

    @property
    def grids(self) -> list[Grid]:
        """The clips' grids in the order in which they come."""
        if self.is_image:
            return [IMAGE_GRID]
        return [request.grid for request in sorted(self.requests, key=lambda request: request.grid.span)]


@dataclass(frozen=True)
class ProbeJob:
    """One file to probe."""

    path: str
    audio_track: str = ""


@dataclass(frozen=True)
class Work:
    """What a worker is sent."""

    job: DecodeJob | ProbeJob
    limits: Limits
    threads: int

    @property
    def readers(self) -> int:
        """How often the job's file is to be sent open."""
        return min(READERS + self.threads, wire.MOST_FILES)


def serve(connection: socket.socket, limits: Limits) -> None:
    """Work until the other end closes. What the first job's decoder needs is all that is left to any."""
    isolation.lower_limits(limits)
    isolated = False
    while True:
        try:
            descriptors = wire.receive_files(connection)
            _, (message,) = wire.receive(connection)
        except EOFError:
            return
        file = OpenedFile(descriptors)
        watch = _Watch(connection)
        try:
            work: Work = pickle.loads(message)  # noqa: S301 - from the parent, never from a file
            file.name = work.job.path
            if not isolated:
                level, said = _isolate(work.job, file)
                isolated = True
                watch.send({"kind": "isolated", "level": level, "said": said})
            _do(watch, work, file)
        except Exception as error:  # noqa: BLE001 - the parent hears of it
            if isinstance(error, ConnectionError) and not isinstance(error, FFmpegError):
                return
            with suppress(ConnectionError):
                watch.send(_account(error))
        finally:
            file.close()


def _isolate(job: DecodeJob | ProbeJob, file: OpenedFile) -> tuple[isolation.Level, str]:
    decoder = job.decoder if isinstance(job, DecodeJob) else "pyav"
    if isinstance(job, DecodeJob) and decoder == "nvdec":
        with suppress(nvdec.NoHardwareDecoderError):  # who wants it says so
            nvdec.accelerator(job.gpu)
    return isolation.enter(decoder, file.fileno())


def _do(watch: _Watch, work: Work, file: OpenedFile) -> None:
    if isinstance(work.job, ProbeJob):
        watch.send({"kind": "info", **wire.pack_info(probe(file, work.limits, work.job.audio_track))})
    else:
        for clip in _clips(work.job, work, file):
            header, buffers = wire.pack_clip(clip)
            watch.send({"kind": "clip", **header}, buffers)
    watch.send({"kind": "done"})


def _account(error: Exception) -> dict[str, Any]:
    """What went wrong: with the file, with the system, with a transform, or nobody knows with which."""
    match error:
        case MediaError():
            return {"kind": "error", "reason": error.reason, "detail": error.detail}
        case _TransformFailedError():
            return {"kind": "bug", "detail": str(error)}
        case MemoryError():
            return {
                "kind": "suspect",
                "reason": Reason.TOO_LARGE,
                "detail": "out of the memory that it may use",
            }
        # PermissionError: what isolation refuses is known to nobody.
        case OSError(errno=int(number)) if not isinstance(error, FFmpegError | PermissionError):
            return {"kind": "system", "errno": number, "detail": error.strerror or str(error)}
    last = traceback.extract_tb(error.__traceback__)[-1]
    detail = f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"
    return {"kind": "suspect", "reason": Reason.DECODER_CRASHED, "detail": detail}


class _TransformFailedError(Exception):
    """A transform raised: not the media's fault, so it is the caller's to see."""


def _guarded(transform: FrameTransform) -> FrameTransform:
    def guarded(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.generic] | bytes:
        try:
            return transform(picture)
        except (MemoryError, MediaError):
            raise
        except Exception as error:
            if isinstance(error, PermissionError):
                error.add_note("a frame transform may open no file: import and load at the top of its module")
            raise _TransformFailedError(traceback.format_exc()) from error

    return guarded


def _clips(job: DecodeJob, work: Work, file: OpenedFile) -> Iterator[DecodedClip]:
    transforms = {name: _guarded(transform) for name, transform in job.transforms.items()}
    if job.is_image:
        yield DecodedClip(IMAGE_GRID, decode_image(file, transforms, work.limits), None)
    else:
        yield from decode_clips(
            file,
            job.requests,
            transforms,
            job.decoder,
            work.limits,
            work.threads,
            job.gpu,
            job.audio_track,
            job.first_channel,
        )


class _Watch:
    """Counts the seconds of work, not those spent waiting for the consumer."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._busy = 0.0
        self._since = time.monotonic()

    def send(self, header: Mapping[str, Any], buffers: Sequence[wire.Buffer] = ()) -> None:
        self._busy += time.monotonic() - self._since
        wire.hand_over(self._connection, {**header, "busy_s": self._busy}, buffers)
        self._since = time.monotonic()
