"""A worker process as its parent sees it: started when first needed, replaced when it dies, hangs or ages."""

from __future__ import annotations

import functools
import pickle
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from signal import SIGKILL
from typing import Any

from decoders.limits import Limits
from decoders.processes import wire
from decoders.processes.isolation import Level
from decoders.processes.worker import DecodeJob, ProbeJob, Work
from decoders.processes.zygote import PRELOAD_TO_DECODE, ZYGOTE, Death
from decoders.timeline.files import opened
from schemas.media import DecodedClip, MediaInfo
from schemas.reasons import MediaError, Reason

JOBS_PER_WORKER = 500  # then a fresh process: what a codec leaks goes with it
_workers_at_work = 0
_counting = threading.Lock()
# How many workers said, when they began, that this is what keeps them.
isolation_of_workers: Counter[tuple[Level, str]] = Counter()
Made = tuple[MediaInfo | DecodedClip, int]  # and its bytes


def newly_isolated() -> Counter[tuple[Level, str]]:
    """What the workers that began since the last call said of it."""
    with _counting:
        found = isolation_of_workers.copy()
        isolation_of_workers.clear()
    return found


def workers_at_work() -> int:
    """How many workers of this process's pools decode at this moment; those that wait for room do not."""
    return _workers_at_work


@contextmanager
def _at_work() -> Iterator[None]:
    global _workers_at_work
    with _counting:
        _workers_at_work += 1
    try:
        yield
    finally:
        with _counting:
            _workers_at_work -= 1


class SuspectError(Exception):
    """The worker died over a file, or met what nobody foresaw: the file's fault, or the machine's.

    Attributes:
        verdict: what is to be said of the file if it is the file's.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.verdict = MediaError(reason, detail)


class WorkerProcess:
    """One at a time; not thread-safe."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.pid: int | None = None
        self._connection: socket.socket | None = None
        self._jobs = 0
        self._isolated = False
        self._decoder = "pyav"
        self._modules: frozenset[str] = frozenset()

    def work(self, job: DecodeJob | ProbeJob, threads: int, go_on: Callable[[], bool]) -> Iterator[Made]:
        """What the job gives. `go_on` is asked before each answer is read, and may block; False: enough.

        Raises:
            MediaError: the worker's own word on the file; timed_out.
            SuspectError: it died.
            OSError: the machine has no processes, memory or descriptors left, or a file cannot be read.
            RuntimeError: a transform raised; with its traceback.
        """
        try:
            yield from self._answers(job, threads, go_on)
        except MediaError:
            raise
        except wire.BrokenMessageError as error:
            self.end()
            raise SuspectError(Reason.DECODER_CRASHED, f"its worker sent {error}") from error
        except (EOFError, ConnectionError) as error:
            raise self._post_mortem() from error
        except Exception:
            self.end()
            raise

    def _answers(self, job: DecodeJob | ProbeJob, threads: int, go_on: Callable[[], bool]) -> Iterator[Made]:
        work = Work(job, self.limits, threads)
        with _opened(job.path, work.readers) as descriptors:
            connection = self._start(job)
            connection.settimeout(None)
            wire.send_files(connection, descriptors)
            wire.send(connection, {}, [pickle.dumps(work)])
        grids = iter(job.grids if isinstance(job, DecodeJob) else ())
        allowed = self.limits.seconds_allowed(_until(job))
        busy = 0.0
        while go_on():
            # Whatever is not there to be read has been worked on since the last message was taken.
            connection.settimeout(max(0.1, allowed - busy))
            try:
                with _at_work():
                    header, buffers = wire.take_over(connection)
            except TimeoutError:
                self.end()
                raise MediaError(Reason.TIMED_OUT, f"not done after {allowed:.0f} s of decoding") from None
            busy = wire.seconds(header)
            match header.get("kind"):
                case "clip" if (grid := next(grids, None)) is not None:
                    yield wire.unpack_clip(grid, header, buffers), sum(len(buffer) for buffer in buffers)
                case "isolated" if not self._isolated:
                    self._isolated = True
                    with _counting:
                        isolation_of_workers[_isolation_said(header)] += 1
                case "info":
                    yield wire.unpack_info(header), 0
                case "done":
                    return
                case _:
                    raise _said(header)
        self.end()

    def _start(self, job: DecodeJob | ProbeJob) -> socket.socket:
        decoder = job.decoder if isinstance(job, DecodeJob) else self._decoder
        modules = _modules(job) if isinstance(job, DecodeJob) else frozenset()
        old = self._jobs >= (1 if self._decoder == "decord" else JOBS_PER_WORKER)
        if old or decoder != self._decoder or not modules <= self._modules:  # it can import nothing any more
            self.end()
        self._jobs += 1
        if self._connection is None:
            decoder = job.decoder if isinstance(job, DecodeJob) else "pyav"
            self.pid, self._connection = ZYGOTE.fork(self.limits, modules, to_probe=isinstance(job, ProbeJob))
            self._decoder, self._modules, self._isolated = decoder, modules, False
        return self._connection

    def end(self) -> Death | None:
        """Kill it; how it ended, if that is known."""
        if self._connection is None or self.pid is None:
            return None
        self._connection.close()
        death = ZYGOTE.kill(self.pid)
        self._connection = self.pid = None
        self._jobs = 0
        return death

    def _post_mortem(self) -> SuspectError:
        """The worker is gone: why."""
        time.sleep(0.05)  # the connection closes a moment before the process is dead by its own signal
        death = self.end()
        if death is not None and (
            death.signal == SIGKILL or death.peak_bytes > 0.9 * self.limits.memory_bytes
        ):
            return SuspectError(Reason.TOO_LARGE, f"the decoder died at {death.peak_bytes >> 20} MiB")
        return SuspectError(Reason.DECODER_CRASHED, f"signal {death.signal if death else 'unknown'}")


def _said(header: dict[str, Any]) -> Exception:
    """A worker's account of what went wrong, of a closed set."""
    kind, reason, detail = header.get("kind"), header.get("reason"), str(header.get("detail"))
    match kind:
        case "error" if reason in set(Reason):
            return MediaError(Reason(reason), detail)
        case "suspect" if reason in set(Reason):
            return SuspectError(Reason(reason), detail)
        case "system" if isinstance(number := header.get("errno"), int):
            return OSError(number, detail)
        case "bug":
            return RuntimeError(f"a frame transform failed in a worker:\n{detail}")
    return wire.BrokenMessageError(f"a message of kind {kind!r}")


def _until(job: DecodeJob | ProbeJob) -> int:
    if isinstance(job, ProbeJob):
        return 0
    return max((request.grid.span.end_ns for request in job.requests), default=0)


@contextmanager
def _opened(path: str, times: int) -> Iterator[list[int]]:
    with ExitStack() as stack:
        yield [stack.enter_context(opened(path)) for _ in range(times)]


def _isolation_said(header: dict[str, Any]) -> tuple[Level, str]:
    try:
        return Level(header["level"]), str(header["said"])
    except (KeyError, ValueError) as error:
        raise wire.BrokenMessageError("a level of isolation that is none") from error


def _modules(job: DecodeJob) -> frozenset[str]:
    """Where the transforms live, and decord: imported once in the zygote, and not in every worker."""
    functions = [_unwrapped(transform) for transform in job.transforms.values()]
    modules = {getattr(function, "__module__", None) or type(function).__module__ for function in functions}
    decoder = {"decord"} if job.decoder == "decord" else set()
    return frozenset(modules.union(PRELOAD_TO_DECODE if job.resampled else (), decoder) - {"__main__"})


def _unwrapped(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function
