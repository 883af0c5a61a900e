"""A build beside scripts and other projects' ways to the same features."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.progress import told
from benchmarks.rivals.contest import adopt_orphans, run
from benchmarks.rivals.environment import libraries
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


def measure(
    sets: Sequence[Films], models: tuple[str, str], repeat: int, python: str
) -> Iterator[dict[str, Any]]:
    """A row a set of films: medians of seconds, all contestants in turns: whole command; loop alone; of the
    CPU, with all children."""
    adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="favor-data-bench-") as temporary:
        for films in sets:
            paths = make(films, Path(temporary))
            found = libraries(python, Path(temporary) / "libraries")
            megabits = 8e-6 * sum(path.stat().st_size for path in paths) / films.count / films.seconds
            taken: dict[str, list[tuple[float, float, float]]] = {}
            for turn in range(repeat):
                for name in told(f"{films}, turn {turn + 1} of {repeat}: contestant", (OURS, *READERS)):
                    output = Path(temporary) / f"{films}-{name}-{turn}"
                    if name == OURS:
                        seconds = _ours(paths, output, models)
                    else:
                        seconds = _theirs(READERS[name], paths, output, models, python, found)
                    taken.setdefault(name, []).append(seconds)
            row = {"films": str(films), "megabits": megabits, "turns": repeat, "load": os.getloadavg()[1]}
            row["cores"] = len(os.sched_getaffinity(0))
            for number, column in enumerate(("command", "loop", "cpu")):
                row[column] = {
                    name: statistics.median(each[number] for each in all_) for name, all_ in taken.items()
                }
            yield row


def _ours(paths: list[Path], output: Path, models: tuple[str, str]) -> tuple[float, float, float]:
    command = [sys.executable, "-m", "pipelines", "build", str(paths[0].parent / "*.mp4")]
    command += ["--output", str(output), "--clip", f"random:{models[0]}", "--whisper", f"random:{models[1]}"]
    took, cpu, _ = run(command)
    loop = seconds(output)["build"]
    return took, loop, cpu


def _theirs(
    reader: str,
    paths: list[Path],
    output: Path,
    models: tuple[str, str],
    python: str,
    environment: dict[str, str],
) -> tuple[float, float, float]:
    command = [python, "-m", "benchmarks.rivals.script", f"{output}.tar", *map(str, paths)]
    command += ["--reader", reader, "--clip", models[0], "--whisper", models[1]]
    took, cpu, said = run(command, environment)
    return took, float(said.split()[-1]), cpu
