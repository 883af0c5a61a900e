"""Sources on a hub."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.storage.hub import hub


def test_a_build_reads_its_sources_from_a_hub(media: Path, features: list[str], tmp_path: Path) -> None:
    """As a user does it: the hub's own variable says where it is."""
    with hub() as (address, held):
        held["films/still.png"] = (media / "still.png").read_bytes()
        held["rows.jsonl"] = b'{"media": "films/still.png", "id": "row"}\n'
        source = "hf://datasets/somebody/films"
        command = [sys.executable, "-m", "pipelines", "build", f"{source}/rows.jsonl", f"{source}/films/"]
        done = subprocess.run(
            [*command, "--output", str(tmp_path / "out"), *features],
            env={**os.environ, "HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "2: 2 done" in done.stdout
