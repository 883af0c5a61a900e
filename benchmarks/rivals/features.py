"""A build beside scripts and other projects' ways to the same features."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from benchmarks.rivals.films import Films, make
from runners.build import seconds

READERS = {
    "script, decord": "decord",
    "script, torchcodec": "torchcodec",
    "script, PyAV": "pyav",
    "clip-video-encode's way": "opencv",
    "video2dataset's way": "video2dataset",
}
OURS = "favor-data"
_PR_SET_CHILD_SUBREAPER = 36  # Linux


def measure(
    sets: Sequence[Films], models: tuple[str, str], repeat: int, python: str
) -> Iterator[dict[str, Any]]:
    """A row a set of films: medians of seconds, all contestants in turns: whole command; loop alone; of the
    CPU, with all children."""
    _adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="favor-data-bench-") as temporary:
        for films in sets:
            paths = make(films, Path(temporary))
            megabits = 8e-6 * sum(path.stat().st_size for path in paths) / films.count / films.seconds
            taken: dict[str, list[tuple[float, float, float]]] = {}
            for turn in range(repeat):
                for name in (OURS, *READERS):
                    output = Path(temporary) / f"{films}-{name}-{turn}"
                    if name == OURS:
                        seconds = _ours(paths, output, models)
                    else:
                        seconds = _theirs(READERS[name], paths, output, models, python)
                    taken.setdefault(name, []).append(seconds)
            row = {"films": str(films), "megabits": megabits, "turns": repeat, "load": os.getloadavg()[1]}
            for number, column in enumerate(("command", "loop", "cpu")):
                row[column] = {
                    name: statistics.median(each[number] for each in all_) for name, all_ in taken.items()
                }
            yield row


def _ours(paths: list[Path], output: Path, models: tuple[str, str]) -> tuple[float, float, float]:
    command = [sys.executable, "-m", "pipelines", "build", str(paths[0].parent / "*.mp4")]
    command += ["--output", str(output), "--clip", f"random:{models[0]}", "--whisper", f"random:{models[1]}"]
    took, cpu, _ = _run(command)
    loop = seconds(output)["build"]
    return took, loop, cpu


def _theirs(
    reader: str, paths: list[Path], output: Path, models: tuple[str, str], python: str
) -> tuple[float, float, float]:
    command = [python, "-m", "benchmarks.rivals.script", f"{output}.tar", *map(str, paths)]
    command += ["--reader", reader, "--clip", models[0], "--whisper", models[1]]
    took, cpu, said = _run(command)
    return took, float(said.split()[-1]), cpu


def _run(command: list[str]) -> tuple[float, float, str]:
    """Wall and CPU seconds, what it said."""
    environment = os.environ | {"FFMPEG": imageio_ffmpeg.get_ffmpeg_exe()}
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


def _adopt_orphans() -> None:
    """Children of a contestant's children become ours when it ends: their CPU time is not lost."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
