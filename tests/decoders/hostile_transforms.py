"""Transforms that misbehave, importable by a worker."""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import signal
import socket
import termios
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]


def _is_known_clip(picture: Picture) -> bool:
    return picture.shape == (144, 176, 3)


def crash(picture: Picture) -> Picture:
    if not _is_known_clip(picture):
        ctypes.string_at(0)
    return picture


def crash_at_anything(picture: Picture) -> Picture:
    ctypes.string_at(0)
    return picture


def be_killed(picture: Picture) -> Picture:
    """As the system kills for memory."""
    if not _is_known_clip(picture):
        os.kill(os.getpid(), signal.SIGKILL)
    return picture


def take_time(picture: Picture) -> Picture:
    time.sleep(0.2)
    return picture


def hang(picture: Picture) -> Picture:
    time.sleep(3600)
    return picture


def eat_memory(picture: Picture) -> Picture:
    held = [] if _is_known_clip(picture) else [np.ones((1 << 26,), np.uint8) for _ in range(1 << 12)]
    return held[0] if held else picture


def bug(picture: Picture) -> Picture:
    raise RuntimeError("a bug in a transform")


def process_id(picture: Picture) -> npt.NDArray[np.int64]:
    return np.array([os.getpid()])


def enlarge(picture: Picture) -> Picture:
    """So large that a worker hands it over in shared memory."""
    return np.tile(picture, (6, 6, 1))


def _read(path: str) -> None:
    Path(path).read_bytes()


def _attach(pid: int) -> None:
    if ctypes.CDLL(None, use_errno=True).ptrace(16, pid, None, None):
        raise OSError(ctypes.get_errno(), "ptrace")


def _push_into_the_terminal() -> None:
    fcntl.ioctl(2, termios.TIOCSTI, b"x")


ATTEMPTS: dict[str, Callable[[], object]] = {
    "read /etc/hostname": lambda: _read("/etc/hostname"),
    "read the parent's environment": lambda: _read(f"/proc/{os.getppid()}/environ"),
    "read its own environment again": lambda: _read("/proc/self/environ"),
    "list a folder": lambda: os.listdir("/"),  # noqa: PTH208
    "write a file": lambda: Path("/tmp/favor-data-was-here").write_bytes(b"x"),
    "remove a file": lambda: os.remove("/tmp/favor-data-was-here"),  # noqa: PTH107
    "open a socket": lambda: socket.socket(),
    "open a local socket": lambda: socket.socket(socket.AF_UNIX),
    "start a program": lambda: os.execv("/bin/true", ["true"]),
    "fork": os.fork,
    "kill its parent": lambda: os.kill(os.getppid(), 0),
    "look into its parent": lambda: _attach(os.getppid()),
    "write into the terminal": _push_into_the_terminal,
    "limit its parent": lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CORE, (0, 0)),
    "become another": lambda: os.setuid(65534),
}


def attempt(picture: Picture, what: str) -> npt.NDArray[np.int64]:
    """What the system says to it: an error's number, 0 for nothing."""
    try:
        ATTEMPTS[what]()
    except OSError as error:
        return np.array([error.errno])
    return np.array([0])


def secret(picture: Picture, name: str) -> npt.NDArray[np.int64]:
    """Whether a variable is there."""
    return np.array([name in os.environ])


def opens(picture: Picture, path: str) -> npt.NDArray[np.int64]:
    """As `attempt`."""
    try:
        _read(path)
    except OSError as error:
        return np.array([error.errno])
    return np.array([0])
