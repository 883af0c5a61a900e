"""Wall and CPU seconds of a contestant's whole command, with all its children."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import subprocess
import time

import imageio_ffmpeg

_PR_SET_CHILD_SUBREAPER = 36  # Linux


def run(command: list[str], more: dict[str, str] | None = None) -> tuple[float, float, str]:
    """Wall and CPU seconds, what it said. `more`: further environment variables."""
    environment = os.environ | {"FFMPEG": imageio_ffmpeg.get_ffmpeg_exe()} | (more or {})
    began, cpu = time.perf_counter(), _cpu_of_children()
    ended = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    took = time.perf_counter() - began
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()  # the orphans that it left
    return took, _cpu_of_children() - cpu, ended.stdout


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def adopt_orphans() -> None:
    """Children of a contestant's children become ours when it ends: their CPU time is not lost."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
