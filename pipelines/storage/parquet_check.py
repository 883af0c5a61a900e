"""Parquet files of strangers, read once in a process that may die of it.

Arrow ends its process on some files (of statistics whose histogram has another size than it should): where a
first reader has survived all that the next one reads, that one does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.forms import embedded
from schemas.forms.errors import ManifestError
from storage import files

_DONE = b"read\n"


class _Reader:
    """The process; a new one after a death. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, path: str) -> int:
        """The signal that ended it; 0: none."""
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(  # noqa: S603
                    [sys.executable, "-m", __name__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                )
            process = self._process
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(BrokenPipeError):
                process.stdin.write(os.fsencode(path).hex().encode() + b"\n")
                process.stdin.flush()
            if process.stdout.readline() == _DONE:
                return 0
            self._process = None
            process.stdin.close()
            process.stdout.close()
            return -process.wait()

    def forget(self) -> None:
        """In a forked copy: the process is the original's."""
        self.__init__()  # type: ignore[misc]


_READER = _Reader()
os.register_at_fork(after_in_child=_READER.forget)


def check_parquet(path: str) -> None:
    """Raises:
    ManifestError: whoever reads this file's rows dies of it.
    """
    if ended_by := _READER.read(path):
        name = signal.Signals(ended_by).name if ended_by > 0 else f"status {-ended_by}"
        raise ManifestError(f"{path}: not a Parquet file that can be read: its reader ends with {name}")


def _serve() -> None:
    """Reads as schemas.forms.readers does; what that raises is for the next reader to meet and to say."""
    for line in sys.stdin.buffer:
        path = os.fsdecode(bytes.fromhex(line.decode()))
        with suppress(Exception), files.open_read(path) as stream:
            table = pq.ParquetFile(pa.PythonFile(stream, mode="r"), pre_buffer=False)
            deque(embedded.rows(table, path), maxlen=0)
        sys.stdout.buffer.write(_DONE)
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
