"""Transforms that misbehave, importable by a worker."""

from __future__ import annotations

import ctypes
import os
import time

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]


def crash(picture: Picture) -> Picture:
    ctypes.string_at(0)
    return picture


def hang(picture: Picture) -> Picture:
    time.sleep(3600)
    return picture


def eat_memory(picture: Picture) -> Picture:
    held = [np.ones((1 << 26,), np.uint8) for _ in range(1 << 12)]
    return held[0]


def bug(picture: Picture) -> Picture:
    raise RuntimeError("a bug in a transform")


def process_id(picture: Picture) -> npt.NDArray[np.int64]:
    return np.array([os.getpid()])
