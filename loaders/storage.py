"""Ranges of bytes of a corpus's files: local ones by the shortest way, others by the house's contract."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loaders.memory import empty
from schemas.state import ANNOTATIONS, layer_folder
from storage import files

Bytes = npt.NDArray[np.uint8]
_MAX_OPEN = 256
_TOLD = f"{layer_folder(ANNOTATIONS)}/"
_SMALL = 4 << 10  # a sample's annotations: those around them are read too, and stay
_BLOCK, _MAX_BLOCKS = 16 << 10, 2048

_PROCESS = [object()]  # another one in every fork's child: to ask the system who we are is a call a sample


def _forked() -> None:
    _PROCESS[0] = object()


os.register_at_fork(after_in_child=_forked)


class Storage:
    """One folder. Safe to pickle and to fork: every process opens its own files.

    Every method raises, beside what it names, PermissionError, and StorageError where a store fails.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = files.absolute(os.fspath(root))
        self.remote = not files.is_local(self.root)
        self._files: dict[str, Any] = {}
        self._blocks: dict[tuple[str, int], bytes] = {}
        self._process: object = _PROCESS[0]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": {}, "_blocks": {}, "_process": None}

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
        elif size <= _SMALL and name.startswith(_TOLD):
            data = self._small(name, offset, size)
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

    def _small(self, name: str, offset: int, size: int) -> bytes:
        """Annotations: a system call costs more than the few bytes that it brings. A shard never changes."""
        number, start = divmod(offset, _BLOCK)
        block = self._blocks.get((name, number))
        if block is None:
            if len(self._blocks) >= _MAX_BLOCKS:
                self._blocks.pop(next(iter(self._blocks)))
            block = os.pread(self._open(name).fileno(), _BLOCK + _SMALL, number * _BLOCK)
            self._blocks[name, number] = block
        return block[start : start + size]

    def will_read(self, name: str, offset: int, size: int) -> None:
        """Lets the system fetch a local range ahead, into its page cache; returns at once."""
        if self.remote or not hasattr(os, "posix_fadvise"):
            return
        descriptor = self._open(name).fileno()
        # Advice on what is cached costs a tenth of copying it.
        if not (_is_cached(descriptor, offset) and _is_cached(descriptor, offset + size - 1)):
            os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_WILLNEED)

    def _open(self, name: str) -> Any:
        if self._process is not _PROCESS[0]:  # a forked worker
            self._files, self._process = {}, _PROCESS[0]
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
