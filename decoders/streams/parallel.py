"""Several generators, each in a thread of its own, merged in an order that is known beforehand."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

AHEAD = 32  # items that a thread may make before they are taken
_POLL_S = 0.1

Item = TypeVar("Item")


def merge(owners: Iterable[int], sources: Sequence[Callable[[], Iterator[Item]]]) -> Generator[Item]:
    """The next item of source `owner`, for each of `owners`; what a source raises is raised in its turn.

    Raises:
        RuntimeError: a source ends before its items are taken.
    """
    stop = threading.Event()
    lanes = [_Lane(source, stop) for source in sources]
    try:
        for lane in lanes:
            lane.thread.start()
        for owner in owners:
            yield lanes[owner].take()
    finally:
        stop.set()
        for lane in lanes:
            lane.thread.join()


class _Lane(Generic[Item]):
    """One source and what it has made."""

    def __init__(self, source: Callable[[], Iterator[Item]], stop: threading.Event) -> None:
        self.thread = threading.Thread(target=self._run, name="decode", daemon=True)
        self._source = source
        self._stop = stop
        self._made: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(AHEAD)

    def take(self) -> Item:
        item, error = self._made.get()
        if error is not None:
            raise error
        assert item is not None
        return item

    def _run(self) -> None:
        try:
            for item in self._source():
                if not self._put((item, None)):
                    return
            self._put((None, RuntimeError("a source ended too early")))
        except BaseException as error:  # noqa: BLE001 - it belongs to the consumer's thread
            self._put((None, error))

    def _put(self, made: tuple[Item | None, BaseException | None]) -> bool:
        """False once nobody takes any more."""
        while not self._stop.is_set():
            try:
                self._made.put(made, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False
