"""Decoding in killable processes that run ahead of the consumer.

submit -> queue -> slot (a thread and its worker process) -> ticket -> consumer
"""

from __future__ import annotations

import pickle
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from decoders.cores import cores
from decoders.limits import DEFAULT, Limits
from decoders.processes.process import SuspectError, WorkerProcess
from decoders.processes.worker import DecodeJob, ProbeJob
from schemas.grid import SECOND_NS, Grid, Span
from schemas.media import ClipRequest, DecodedClip, MediaInfo
from schemas.reasons import MachineError, MediaError

AHEAD_BYTES = 64 << 20  # a worker: decoded and not yet taken, over all tickets
PAUSES_S = (0.1, 1.0, 4.0)  # before a machine that failed is tried again
KNOWN = str(Path(__file__).with_name("known.mp4"))  # 1 s, H.264 and AAC, made with the ffmpeg command


class DecodeTicket(Iterator[DecodedClip]):
    """One submitted job's clips, in order. Iterating blocks until the next one is there.

    Raises (from `__next__`):
        MediaError: what decoding gave, or decoder_crashed, timed_out, too_large.
        MachineError: no file's fault.
        RuntimeError: a transform raised; with its traceback.
    """

    def __init__(self, pool: DecoderPool, job: DecodeJob | ProbeJob) -> None:
        self.job = job
        self.info: MediaInfo | None = None  # a ProbeJob's result
        self._pool = pool
        self._ready: deque[tuple[DecodedClip, int]] = deque()
        self._error: Exception | None = None
        self._started = self._finished = False
        self._delivered = 0

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
        self._cores = cores()
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
            MachineError: not the file's fault.
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
            ticket._delivered += 1
            self._ahead += size
            self._state.notify_all()

    def _wait_for_close(self, seconds: float) -> None:
        with self._state:
            self._state.wait_for(lambda: self._closed, seconds)

    def _finish(self, ticket: DecodeTicket, error: Exception | None = None) -> None:
        with self._state:
            ticket._error = error
            ticket._finished = True
            self._state.notify_all()


class _Slot:
    """One thread's worker process."""

    def __init__(self, pool: DecoderPool) -> None:
        self.pool = pool
        self.process = WorkerProcess(pool.limits)
        self.working = False

    def run(self) -> None:
        while (ticket := self.pool._next_ticket()) is not None:
            self.working = True
            error: Exception | None = None
            try:
                self._work(ticket)
            except Exception as raised:  # noqa: BLE001 - it belongs to the consumer's thread, not to this one
                error = raised
            self.working = False
            self.pool._finish(ticket, error)
        self.process.end()

    def _work(self, ticket: DecodeTicket) -> None:
        """A second try for whoever may not be at fault: after a known clip was decoded, it is the file's.

        Raises:
            MediaError, MachineError, RuntimeError.
        """
        pauses = iter(PAUSES_S)
        suspected = False
        while True:
            try:
                return self._try(ticket)
            except SuspectError as error:
                if suspected:
                    raise error.verdict from error
                suspected = True
                self._decode_known(ticket.job, error)
            except OSError as error:
                if (pause := next(pauses, None)) is None:
                    reason = error.strerror or str(error)
                    raise MachineError(f"{ticket.job.path} cannot be decoded here: {reason}") from error
                self.pool._wait_for_close(pause)

    def _try(self, ticket: DecodeTicket) -> None:
        """What an earlier try delivered is not delivered again."""
        known = ticket._delivered
        made = self.process.work(
            ticket.job, self.pool._threads_a_job(), lambda: self.pool._may_read_on(ticket)
        )
        for number, (found, size) in enumerate(made):
            if isinstance(found, MediaInfo):
                ticket.info = found
            elif number >= known:
                self.pool._deliver(ticket, found, size)

    def _decode_known(self, job: DecodeJob | ProbeJob, suspect: SuspectError) -> None:
        """Raises:
        MachineError: the same work fails on a clip that is known to be good.
        """
        grid = Grid(Span(0, SECOND_NS))
        known: DecodeJob | ProbeJob = ProbeJob(KNOWN)
        if isinstance(job, DecodeJob):
            requests = (ClipRequest(grid, True, True),)
            known = DecodeJob(KNOWN, requests, job.transforms, job.decoder, job.gpu)
        try:
            for _ in self.process.work(known, 1, lambda: True):
                pass
        except (SuspectError, MediaError, OSError) as error:
            raise MachineError(
                f"decoding fails on this machine, on a clip that is known to be good too: {error} "
                f"(found at {job.path}: {suspect})"
            ) from error


def _check_sendable(job: DecodeJob) -> None:
    try:
        pickle.dumps(job)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(
            f"a frame transform must be an importable function or a partial of one: {error}"
        ) from error
