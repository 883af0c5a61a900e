"""How far a build on this machine is: workers append to one local file, the command's bar reads it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Progress:
    """Lines `planned SECONDS`, `done SECONDS`, `rejected INPUTS`; without the file nothing is written."""

    path: str | None

    def planned(self, seconds: float) -> None:
        self._append(f"planned {seconds:.3f}\n")

    def done(self, seconds: float) -> None:
        self._append(f"done {seconds:.3f}\n")

    def rejected(self) -> None:
        """One input more."""
        self._append("rejected 1\n")

    def _append(self, line: str) -> None:
        if self.path is None or not Path(self.path).exists():
            return
        # One short write with O_APPEND: lines of several processes never mix.
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
