"""How many bytes Flink moved between its tasks: read from the archive of the finished job."""

from __future__ import annotations

import json
from pathlib import Path


def archive_into(folder: Path) -> Path:
    """A folder for FLINK_CONF_DIR whose Flink archives its jobs in the folder itself."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "flink-conf.yaml").write_text(f"jobmanager.archive.fs.dir: {folder.as_uri()}\n")
    return folder


def shuffled_bytes(folder: Path) -> int:
    """Bytes that the tasks of all archived jobs wrote for other tasks; 0 without a job."""
    return sum(size for sizes in tasks(folder).values() for size in sizes.values())


def tasks(folder: Path) -> dict[str, dict[str, int]]:
    """Job -> its tasks -> bytes written."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".yaml":
            continue
        for entry in json.loads(path.read_text())["archive"]:
            if entry["path"] == f"/jobs/{path.name}":
                job = json.loads(entry["json"])
                found[job["jid"]] = {
                    vertex["name"]: vertex["metrics"]["write-bytes"] for vertex in job["vertices"]
                }
    return found
