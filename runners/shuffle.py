"""How many bytes Flink moved between its tasks: read from the archive of a finished job."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Moved:
    """Bytes. `shuffled`: into GroupByKeys and Reshuffles; `between_tasks`: those, and the output of every
    stage that has several consumers, which Flink serialises too."""

    shuffled: int
    between_tasks: int


def moved(archive: Path) -> Moved:
    """Of the only job in the archive.

    Raises:
        FileNotFoundError: no job has been archived.
    """
    path = next((path for path in archive.iterdir()), None)
    if path is None:
        raise FileNotFoundError(f"{archive} holds no job")
    entries = {entry["path"]: entry["json"] for entry in json.loads(path.read_text())["archive"]}
    vertices = json.loads(entries[f"/jobs/{path.name}"])["vertices"]
    written = [(vertex["name"], vertex["metrics"]["write-bytes"]) for vertex in vertices]
    # A chain's name lists its steps in order: the last one sends. "FlatMap -> GroupCombine -> Map (Key …".
    shuffled = sum(size for name, size in written if _sends(name))
    return Moved(shuffled, sum(size for _, size in written))


def _sends(name: str) -> bool:
    return name == "Partition" or "GroupCombine at" in name
