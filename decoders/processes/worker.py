"""One process that decodes one item after another for a DecoderPool."""

from __future__ import annotations

import pickle
import resource
import socket
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from av.error import FFmpegError

from decoders.clips import decode_clips
from decoders.limits import Limits
from decoders.probe import probe
from decoders.processes import wire
from decoders.streams.still import decode_image
from decoders.timeline.container import of_file
from schemas.grid import STEP_NS, Grid, Span
from schemas.media import ClipRequest, DecodedClip, FrameTransform
from schemas.reasons import MediaError, Reason

IMAGE_GRID = Grid(Span(0, STEP_NS))


@dataclass(frozen=True)
class DecodeJob:
    """One file and what is wanted of it.

    Attributes:
        requests: spans, in any order; clips come in order of their starts. Ignored for an image.
        transforms: importable functions (or partials of them): they run in a worker.
        gpu: that the decoder nvdec runs on.
        audio_track: decoders/timeline/choice.py.
    """

    path: str
    requests: tuple[ClipRequest, ...]
    transforms: Mapping[str, FrameTransform] = field(default_factory=dict)
    decoder: str = "pyav"
    gpu: int = 0
    audio_track: str = ""
    is_image: bool = False

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


def serve(connection: socket.socket, limits: Limits) -> None:
    """Work until the other end closes."""
    _confine(limits)
    while True:
        try:
            _, (message,) = wire.receive(connection)
        except EOFError:
            return
        try:
            _do(connection, message)
        except ConnectionError:
            return


def _confine(limits: Limits) -> None:
    """No more memory than allowed, no files written, no core dumps."""
    status = Path("/proc/self/status")
    if status.exists():
        held = next(
            int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmData:")
        )
        allowed = held * 1024 + limits.memory_bytes
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _do(connection: socket.socket, message: memoryview) -> None:
    watch = _Watch(connection)
    try:
        work: Work = pickle.loads(message)  # noqa: S301 - from the parent, never from a file
        if isinstance(work.job, ProbeJob):
            watch.send(
                {"kind": "info", **wire.pack_info(probe(work.job.path, work.limits, work.job.audio_track))}
            )
        else:
            for clip in _clips(work.job, work):
                header, buffers = wire.pack_clip(clip)
                watch.send({"kind": "clip", **header}, buffers)
        watch.send({"kind": "done"})
    except Exception as error:
        if isinstance(error, ConnectionError) and not isinstance(error, FFmpegError):
            raise
        watch.send(_account(error))


def _account(error: Exception) -> dict[str, Any]:
    """What went wrong: with the file, with the system, with a transform, or nobody knows with which."""
    if isinstance(error, OSError) and not isinstance(error, FFmpegError) and error.errno is not None:
        error = of_file(error) or error
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
        case OSError(errno=int(number)) if not isinstance(error, FFmpegError):
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
            raise _TransformFailedError(traceback.format_exc()) from error

    return guarded


def _clips(job: DecodeJob, work: Work) -> Iterator[DecodedClip]:
    transforms = {name: _guarded(transform) for name, transform in job.transforms.items()}
    if job.is_image:
        yield DecodedClip(IMAGE_GRID, decode_image(job.path, transforms, work.limits), None)
    else:
        yield from decode_clips(
            job.path,
            job.requests,
            transforms,
            job.decoder,
            work.limits,
            work.threads,
            job.gpu,
            job.audio_track,
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
