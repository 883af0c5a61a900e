"""Decoding in killable processes that run ahead of the consumer.

submit -> queue -> slot (a thread and its worker process) -> ticket -> consumer
"""

from __future__ import annotations

import contextlib
import functools
import os
import pickle
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, Self

from decoders.limits import DEFAULT, Limits
from decoders.processes import wire
from decoders.processes.worker import DecodeJob, ProbeJob, Work
from decoders.processes.zygote import PRELOAD_TO_DECODE, ZYGOTE
from schemas.media import DecodedClip, MediaInfo
from schemas.reasons import MediaError, Reason

JOBS_PER_WORKER = 500  # then a fresh process: what a codec leaks goes with it
AHEAD_BYTES = 64 << 20  # a worker: decoded and not yet taken, over all tickets


_workers_at_work = 0
_counting = threading.Lock()


def workers_at_work() -> int:
    """How many workers of this process's pools decode at this moment; those that wait for room do not."""
    return _workers_at_work


@contextlib.contextmanager
def _at_work() -> Iterator[None]:
    global _workers_at_work
    with _counting:
        _workers_at_work += 1
    try:
        yield
    finally:
        with _counting:
            _workers_at_work -= 1


class DecodeTicket(Iterator[DecodedClip]):
    """One submitted job's clips, in order. Iterating blocks until the next one is there.

    Raises (from `__next__`):
        MediaError: what decoding gave, or decoder_crashed, timed_out, too_large.
        RuntimeError: a transform raised; with its traceback.
    """

    def __init__(self, pool: DecoderPool, job: DecodeJob | ProbeJob) -> None:
        self.job = job
        self.info: MediaInfo | None = None  # a ProbeJob's result
        self._pool = pool
        self._ready: deque[tuple[DecodedClip, int]] = deque()
        self._error: Exception | None = None
        self._started = self._finished = False

    def __next__(self) -> DecodedClip:
        return self._pool._take(self)

    @property
    def ready(self) -> bool:
        """Whether the next step of the iteration would not block."""
        return bool(self._ready) or self._finished


class DecoderPool:
    """`workers` processes. Tickets may be taken in any order, from any thread."""

    def __init__(self, workers: int, limits: Limits = DEFAULT) -> None:
        if workers < 1:
            raise ValueError("a pool needs at least one worker")
        self.limits = limits
        self._cores = len(os.sched_getaffinity(0))
        self._state = threading.Condition()
        self._queue: deque[DecodeTicket] = deque()
        self._ahead = 0  # bytes decoded and not yet taken
        self._waited: list[DecodeTicket] = []
        self._closed = False
        self._slots = [_Slot(self) for _ in range(workers)]
        self._threads = [
            threading.Thread(target=slot.run, name="decoder", daemon=True) for slot in self._slots
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: DecodeJob) -> DecodeTicket:
        """Queue one file.

        Raises:
            TypeError: a transform that cannot be sent to a worker.
        """
        _check_sendable(job)
        return self._submit(job)

    def probe(self, path: str, audio_track: str = "") -> MediaInfo:
        """`decoders.probe.probe` in a worker.

        Raises:
            MediaError: its own, or decoder_crashed, timed_out, too_large.
        """
        ticket = self._submit(ProbeJob(path, audio_track))
        for _ in ticket:
            pass
        assert ticket.info is not None
        return ticket.info

    def close(self) -> None:
        """End the workers; what has not been decoded is dropped."""
        with self._state:
            self._closed = True
            for ticket in self._queue:
                ticket._finished = True
            self._queue.clear()
            self._state.notify_all()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _submit(self, job: DecodeJob | ProbeJob) -> DecodeTicket:
        ticket = DecodeTicket(self, job)
        with self._state:
            if self._closed:
                raise ValueError("the pool is closed")
            if isinstance(job, ProbeJob):
                self._queue.appendleft(ticket)
            else:
                self._queue.append(ticket)
            self._state.notify_all()
        return ticket

    def _take(self, ticket: DecodeTicket) -> DecodedClip:
        with self._state:
            self._wait(ticket)
            if ticket._ready:
                clip, size = ticket._ready.popleft()
                self._ahead -= size
                self._state.notify_all()
                return clip
            if ticket._error is not None:
                raise ticket._error
            raise StopIteration

    def _wait(self, ticket: DecodeTicket) -> None:
        self._waited.append(ticket)
        self._state.notify_all()
        try:
            self._state.wait_for(lambda: ticket.ready)
        finally:
            self._waited.remove(ticket)

    # The slots' side.

    def _next_ticket(self) -> DecodeTicket | None:
        with self._state:
            self._state.wait_for(lambda: self._queue or self._closed)
            if self._closed:
                return None
            ticket = self._queue.popleft()
            ticket._started = True
            return ticket

    def _threads_a_job(self) -> int:
        """A job gets the cores that the other jobs leave it: one long film has them all."""
        with self._state:
            jobs = sum(slot.working for slot in self._slots) + len(self._queue)
            return max(1, self._cores // max(1, min(jobs, len(self._slots))))

    def _may_read_on(self, ticket: DecodeTicket) -> bool:
        """Blocks while enough is decoded ahead; False when the pool closes.

        Whoever waits for a ticket that no slot has taken up yet must not wait for slots that are full.
        """

        def room() -> bool:
            starved = any(waited is ticket or not waited._started for waited in self._waited)
            may = self._ahead < AHEAD_BYTES * len(self._slots)
            return may or starved or self._closed

        with self._state:
            self._state.wait_for(room)
            return not self._closed

    def _deliver(self, ticket: DecodeTicket, clip: DecodedClip, size: int) -> None:
        with self._state:
            ticket._ready.append((clip, size))
            self._ahead += size
            self._state.notify_all()

    def _finish(self, ticket: DecodeTicket, error: Exception | None = None) -> None:
        with self._state:
            ticket._error = error
            ticket._finished = True
            self._state.notify_all()


class _Slot:
    """One thread's worker process: started when first needed, replaced when it dies, hangs or grows old."""

    def __init__(self, pool: DecoderPool) -> None:
        self.pool = pool
        self.limits = pool.limits
        self.working = False
        self._pid: int | None = None
        self._connection: socket.socket | None = None
        self._jobs = 0
        self._decodes = False

    def run(self) -> None:
        while (ticket := self.pool._next_ticket()) is not None:
            self.working = True
            error: Exception | None = None
            try:
                error = self._work(ticket)
            except (EOFError, OSError):
                error = self._post_mortem()
            except Exception as bug:  # noqa: BLE001 - it belongs to the consumer's thread, not to this one
                self._kill()
                error = bug
            self.working = False
            self.pool._finish(ticket, error)
        self._kill()

    def _work(self, ticket: DecodeTicket) -> Exception | None:
        job = ticket.job
        connection = self._start(job)
        connection.settimeout(None)
        wire.send(connection, {}, [pickle.dumps(Work(job, self.limits, self.pool._threads_a_job()))])
        grids = iter(job.grids if isinstance(job, DecodeJob) else ())
        allowed = self.limits.seconds_allowed(_until(job))
        busy = 0.0
        while self.pool._may_read_on(ticket):
            # Whatever is not there to be read has been worked on since the last message was taken.
            connection.settimeout(max(0.1, allowed - busy))
            try:
                with _at_work():
                    header, buffers = wire.take_over(connection)
            except TimeoutError:
                self._kill()
                return MediaError(Reason.TIMED_OUT, f"not done after {allowed:.0f} s of decoding")
            busy = wire.seconds(header)
            match header.get("kind"):
                case "clip" if (grid := next(grids, None)) is not None:
                    size = sum(len(buffer) for buffer in buffers)
                    self.pool._deliver(ticket, wire.unpack_clip(grid, header, buffers), size)
                case "info":
                    ticket.info = wire.unpack_info(header)
                case "bug":
                    return RuntimeError(f"a frame transform failed in a worker:\n{header.get('detail')}")
                case "error" if header.get("reason") in set(Reason):
                    return MediaError(Reason(header["reason"]), str(header.get("detail")))
                case "done":
                    return None
                case other:
                    raise wire.BrokenMessageError(f"a message of kind {other!r}")
        self._kill()
        return None

    def _start(self, job: DecodeJob | ProbeJob) -> socket.socket:
        decodes = isinstance(job, DecodeJob)
        if self._jobs >= JOBS_PER_WORKER or (decodes and not self._decodes):
            self._kill()
        self._jobs += 1
        if self._connection is None:
            modules = _modules(job) if isinstance(job, DecodeJob) else ()
            self._pid, self._connection = ZYGOTE.fork(self.limits, modules)
            self._decodes = decodes  # one that was started to probe lacks what decoding imports
        return self._connection

    def _kill(self) -> Any:
        if self._connection is None or self._pid is None:
            return None
        self._connection.close()
        death = ZYGOTE.kill(self._pid)
        self._connection = self._pid = None
        self._jobs = 0
        return death

    def _post_mortem(self) -> MediaError:
        """The worker is gone: why."""
        time.sleep(0.05)  # the connection closes a moment before the process is dead by its own signal
        death = self._kill()
        if death is not None and death.peak_bytes > 0.9 * self.limits.memory_bytes:
            return MediaError(Reason.TOO_LARGE, f"the decoder died at {death.peak_bytes >> 20} MiB")
        return MediaError(Reason.DECODER_CRASHED, f"signal {death.signal if death else 'unknown'}")


def _until(job: DecodeJob | ProbeJob) -> int:
    if isinstance(job, ProbeJob):
        return 0
    return max((request.grid.span.end_ns for request in job.requests), default=0)


def _modules(job: DecodeJob) -> set[str]:
    """Where the transforms live: imported once in the zygote rather than in every worker."""
    functions = [_unwrapped(transform) for transform in job.transforms.values()]
    modules = {getattr(function, "__module__", None) or type(function).__module__ for function in functions}
    return modules.union(PRELOAD_TO_DECODE) - {"__main__"}


def _unwrapped(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _check_sendable(job: DecodeJob) -> None:
    try:
        pickle.dumps(job)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(
            f"a frame transform must be an importable function or a partial of one: {error}"
        ) from error
