"""Ranges of bytes of a corpus's files: local, or wherever pyarrow and fsspec can read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow.fs as pafs

from loaders.memory import empty

Bytes = npt.NDArray[np.uint8]
_MAX_OPEN = 256


class Storage:
    """One folder. Safe to pickle and to fork: every process opens its own files.

    S3, GCS and HDFS go through pyarrow's own clients; any other scheme through fsspec.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        text = os.fspath(root)
        scheme = urlsplit(text).scheme if "://" in text else ""
        self.remote = scheme not in ("", "file")
        self.root = text.rstrip("/") if self.remote else str(Path(text.removeprefix("file://")).absolute())
        self._files: dict[str, Any] = {}
        self._filesystem: tuple[pafs.FileSystem, str] | None = None
        self._pid = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": {}, "_filesystem": None}

    def read(self, name: str) -> bytes:
        """A whole small file.

        Raises:
            FileNotFoundError: no such file.
        """
        if not self.remote:
            return Path(self.root, name).read_bytes()
        filesystem, path = self._remote()
        with filesystem.open_input_stream(f"{path}/{name}") as stream:
            return bytes(stream.readall())

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
        data = np.frombuffer(self._open(name).read_at(len(buffer), offset), dtype=np.uint8)
        buffer[: len(data)] = data
        return len(data)

    def _open(self, name: str) -> Any:
        if self._pid != os.getpid():  # a forked worker
            self._files, self._filesystem, self._pid = {}, None, os.getpid()
        if name not in self._files:
            if len(self._files) >= _MAX_OPEN:
                self._files.pop(next(iter(self._files))).close()
            if self.remote:
                filesystem, path = self._remote()
                self._files[name] = filesystem.open_input_file(f"{path}/{name}")
            else:
                self._files[name] = Path(self.root, name).open("rb", buffering=0)  # noqa: SIM115
        return self._files[name]

    def _remote(self) -> tuple[pafs.FileSystem, str]:
        if self._filesystem is None:
            self._filesystem = _remote_filesystem(self.root)
        return self._filesystem


def _is_cached(descriptor: int, offset: int) -> bool:
    """False too where the file system cannot tell."""
    try:
        os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT)
    except (OSError, AttributeError):  # not without waiting; not on this system
        return False
    return True


def _remote_filesystem(uri: str) -> tuple[pafs.FileSystem, str]:
    own = urlsplit(uri).scheme in ("s3", "gs", "gcs", "hdfs", "viewfs")
    filesystem, path = pafs.FileSystem.from_uri(uri if own else f"fsspec+{uri}")
    return filesystem, path
