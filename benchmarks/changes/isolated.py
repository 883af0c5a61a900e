"""Readers of media in processes of their own, and what is measured on each file."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE

PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Alignment:
    """What was measured on one file.

    Attributes:
        sound_ms: by how much the sound comes later than the pictures (without pictures: than time zero).
        wrong_frames: steps whose frame is not the one that ffmpeg's full decode shows at that time.
        steps: of the grid.
    """

    sound_ms: float | None
    wrong_frames: int | None
    steps: int


class Isolated:
    """One reader in a process of its own: other people's readers crash and hang on some of these files."""

    def __init__(self, reader: str) -> None:
        self.reader = reader
        self._process: subprocess.Popen[str] | None = None

    def measure(self, name: str, path: Path) -> Alignment | str:
        """What was measured on the case or the member of that name, or how it failed."""
        if self._process is None:
            command = [sys.executable, "-m", "benchmarks.alignment", "--serve", self.reader]
            self._process = subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True)
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        print(name, path, file=process.stdin, flush=True)
        if not select.select([process.stdout], [], [], PATIENCE_SECONDS)[0]:
            self.close()
            return "hangs"
        answer = process.stdout.readline()
        if not answer:
            self.close()
            return "crashes"
        found = json.loads(answer)
        return Alignment(**found) if found else "fails"

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
