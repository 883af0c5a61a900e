"""Ctrl-C and SIGTERM: a command ends in seconds, with one line."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

PATIENCE_S = 5.0  # for what is being written, and for threads that compute; a second signal ends it at once
_received: list[int] = []


class Stopped(BaseException):
    """Somebody stopped the command. Its notes say how far it was."""


def listen() -> None:
    """From here on both signals raise `Stopped`, once, in the main thread."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)


def received() -> bool:
    """Whether the command is being stopped: what is raised then is of no interest."""
    return bool(_received)


def _stop(number: int, frame: FrameType | None) -> None:
    if _received:
        os._exit(128 + number)
    _received.append(number)
    logging.disable(logging.CRITICAL)  # threads whose work is taken from under them say so at length
    threading.excepthook = lambda arguments: None
    late = threading.Timer(PATIENCE_S, leave)
    late.daemon = True
    late.start()
    raise Stopped


def leave(error: BaseException | None = None) -> NoReturn:
    """Says so in one line, and ends the process with 128 and the signal's number."""
    from pipelines.storage import reading

    reading.discard_copies()
    far = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
    print(
        f"favor-data: stopped{far}; what is done is kept: the same command goes on from here", file=sys.stderr
    )
    sys.stderr.flush()
    os._exit(128 + _received[0])
