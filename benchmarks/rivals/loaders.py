"""Reading samples for training: ours beside webdataset, HF datasets, Energon, MosaicML streaming."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from benchmarks.loading import (
    LARGE,
    SMALL,
    Shape,
    hugging_face_streaming,
    plain_webdataset,
    streaming,
    write_corpus,
)
from benchmarks.progress import told
from loaders.corpus import open_corpus

SCRIPT = Path(__file__).with_name("read_batches.py")


def measure(repeat: int, python: str) -> Iterator[dict[str, Any]]:
    """A row a reader and shape: milliseconds a sample, wall and CPU, medians of the turns."""
    for shape in (replace(LARGE, samples=64), SMALL):
        with tempfile.TemporaryDirectory(prefix="favor-data-bench-") as folder:
            yield from _shape(Path(folder), shape, repeat, python)


def _shape(folder: Path, shape: Shape, repeat: int, python: str) -> Iterator[dict[str, Any]]:
    root = folder / "corpus"
    write_corpus(root, shape)
    shutil.copytree(root, folder / "energon")
    _run(python, "convert", root / "shards", folder / "streaming")
    _run(python, "prepare", folder / "energon")
    corpus, shards = open_corpus(root), sorted(map(str, (root / "shards").glob("*.tar")))
    readers: dict[str, Callable[[], tuple[float, float]]] = {
        "favor-data": partial(_here, streaming, corpus, shards),
        "webdataset": partial(_here, plain_webdataset, corpus, shards),
        "Hugging Face datasets, streaming": partial(_here, hugging_face_streaming, corpus, shards),
    }
    for name in ("energon", "streaming"):
        readers[name] = partial(_there, python, name, folder / name, shape.samples)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in readers}
    for turn in range(repeat):
        for name, read in told(f"turn {turn + 1} of {repeat}: reader", readers.items(), itemgetter(0)):
            taken[name].append(read())
    for name, seconds in taken.items():
        ms, cpu = (1e3 * statistics.median(column) for column in zip(*seconds, strict=True))
        yield {"samples": shape.name, "name": name, "ms": ms, "cpu": cpu, "load": os.getloadavg()[1]}


def _here(read: Callable[[Any, list[str]], int], corpus: Any, shards: list[str]) -> tuple[float, float]:
    read(corpus, shards)
    began, cpu = time.perf_counter(), time.process_time()
    count = read(corpus, shards)
    return (time.perf_counter() - began) / count, (time.process_time() - cpu) / count


def _there(python: str, name: str, folder: Path, samples: int) -> tuple[float, float]:
    wall, cpu = map(float, _run(python, name, folder, samples).split()[-2:])
    return wall, cpu


def _run(python: str, *arguments: object) -> str:
    command = [python, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
