"""What broke in a process is whole in the next: a command that failed so begins once more by itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BROKEN = """
import os, sys
from pathlib import Path
import torch
from featurizers.vision.encoder import VisionEncoder
from pipelines.commands.command import entry
count = Path(sys.argv.pop(1))
fails = int(sys.argv.pop(1))
tries = len(count.read_bytes())
count.write_bytes(bytes(tries + 1))
def encode(*arguments):
    raise {error}
if tries < fails:
    VisionEncoder.encode = encode
entry()
"""
GPU = 'torch.AcceleratorError("CUDA error: an illegal memory access was encountered")'


def build(error: str, fails: int, media: Path, features: list[str], folder: Path) -> tuple[int, int, str]:
    """The exit status, how many processes there were, and what they said."""
    count = folder / f"count{fails}"
    count.touch()
    command = [
        str(count),
        str(fails),
        "build",
        str(media / "still.png"),
        "--output",
        str(folder / str(fails)),
    ]
    done = subprocess.run(
        [sys.executable, "-c", BROKEN.format(error=error), *command, *features, "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, count.stat().st_size, done.stderr


@pytest.mark.parametrize("error", [GPU, 'TypeError("a bug of ours")'])
def test_what_broke_in_a_process_is_whole_in_the_next(
    error: str, media: Path, features: list[str], tmp_path: Path
) -> None:
    assert build(error, 0, media, features, tmp_path)[:2] == (0, 1)
    status, processes, said = build(error, 1, media, features, tmp_path)
    assert (status, processes) == (0, 2), said
    assert "trying once more, in a fresh process" in said
    for name in ("shards/000000.tar", "index.parquet", "ledger.parquet"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "0" / name).read_bytes()
    status, processes, said = build(error, 9, media, features, tmp_path)
    assert (status, processes) == (3, 2), said
    assert not (tmp_path / "9" / "ledger.parquet").exists()
