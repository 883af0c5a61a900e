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
        self.read_into(name, offset, buffer.data)
        return buffer

    def read_into(self, name: str, offset: int, buffer: memoryview) -> None:
        """Fills `buffer`, of bytes.

        Raises:
            FileNotFoundError: no such file.
            EOFError: the file ends before the range does.
        """
        size = len(buffer)
        if self.remote:
            data = files.read_range(files.join(self.root, name), offset, size)
            done = len(data)
            buffer[:done] = data
        else:
            descriptor = self._open(name).fileno()
            done = count = os.preadv(descriptor, [buffer], offset)
            while count and done < size:  # Linux gives at most 2 GiB a call
                count = os.preadv(descriptor, [buffer[done:]], offset + done)
                done += count
        if done < size:
            raise EOFError(f"{self.root}/{name} ends before byte {offset + size}")

    def will_read(self, name: str, offset: int, size: int) -> None:
        """Lets the system fetch a local range ahead, into its page cache; returns at once."""
        if self.remote or not hasattr(os, "posix_fadvise"):
            return
        descriptor = self._open(name).fileno()
        # Advice on what is cached costs a tenth of copying it.
        if not (_is_cached(descriptor, offset) and _is_cached(descriptor, offset + size - 1)):
            os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_WILLNEED)

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
