"""Transforms that misbehave, importable by a worker."""

from __future__ import annotations

import ctypes
import os
import signal
import time

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
