"""Ranges of bytes of a corpus's files: local ones by the shortest way, others by the house's contract."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loaders.memory import empty
from storage import files

Bytes = npt.NDArray[np.uint8]
_MAX_OPEN = 256


class Storage:
    """One folder. Safe to pickle and to fork: every process opens its own files.

    Every method raises, beside what it names, PermissionError, and StorageError where a store fails.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = files.absolute(os.fspath(root))
        self.remote = not files.is_local(self.root)
        self._files: dict[str, Any] = {}
        self._pid = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": {}}

    def read(self, name: str) -> bytes:
        """A whole small file.

        Raises:
            FileNotFoundError: no such file.
        """
        return files.read_bytes(files.join(self.root, name))

    def read_range(self, name: str, offset: int, size: int) -> Bytes:
        """uint8 [size], writable and not shared.

        Raises:
            FileNotFoundError: no such file.
            EOFError: the file ends before the range does.
        """
        buffer = empty((size,))
        read = self._read_remote if self.remote else self._read_local
        if read(name, offset, buffer) < size:
            raise EOFError(f"{self.root}/{name} ends before byte {offset + size}")
        return buffer

    def will_read(self, name: str, offset: int, size: int) -> None:
        """Lets the system fetch a local range ahead, into its page cache; returns at once."""
        if self.remote or not hasattr(os, "posix_fadvise"):
            return
        descriptor = self._open(name).fileno()
        # Advice on what is cached costs a tenth of copying it.
        if not (_is_cached(descriptor, offset) and _is_cached(descriptor, offset + size - 1)):
            os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_WILLNEED)

    def _read_local(self, name: str, offset: int, buffer: Bytes) -> int:
        descriptor = self._open(name).fileno()
        done = os.preadv(descriptor, [buffer.data], offset)
        while done < len(buffer):  # Linux gives at most 2 GiB a call
            count = os.preadv(descriptor, [buffer.data[done:]], offset + done)
            if not count:
                break
            done += count
        return done

    def _read_remote(self, name: str, offset: int, buffer: Bytes) -> int:
        data = files.read_range(files.join(self.root, name), offset, len(buffer))
        buffer[: len(data)] = np.frombuffer(data, dtype=np.uint8)
        return len(data)

    def _open(self, name: str) -> Any:
        if self._pid != os.getpid():  # a forked worker
            self._files, self._pid = {}, os.getpid()
        if name not in self._files:
            if len(self._files) >= _MAX_OPEN:
                self._files.pop(next(iter(self._files))).close()
            self._files[name] = Path(self.root, name).open("rb", buffering=0)  # noqa: SIM115
        return self._files[name]


def _is_cached(descriptor: int, offset: int) -> bool:
    """False too where the file system cannot tell."""
    try:
        os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT)
    except (OSError, AttributeError):  # not without waiting; not on this system
        return False
    return True
