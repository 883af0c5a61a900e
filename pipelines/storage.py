"""Whole files through Beam's file systems: local, gs://, s3://, hdfs:// alike."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

TEMPORARY = ".tmp-"


def is_local(path: str) -> bool:
    """Whether Beam would open the path on this machine's own disk."""
    return FileSystems.get_scheme(path) is None


def absolute(path: str) -> str:
    """The one spelling of a folder or file: no `..`, no trailing slash."""
    return os.path.abspath(path) if is_local(path) else path.rstrip("/")  # noqa: PTH100 (resolves no links)


def join(base: str, *parts: str) -> str:
    """Path below `base`, with the base's own separator."""
    return str(FileSystems.join(base, *parts))


def exists(path: str) -> bool:
    """Whether a file or object is there."""
    return bool(FileSystems.exists(path))


def size(path: str) -> int:
    """Bytes.

    Raises:
        OSError: not there.
    """
    return int(FileSystems.get_filesystem(path).size(path))


def open_read(path: str) -> IO[bytes]:
    """The stored bytes as they are, never decompressed by their name.

    Raises:
        OSError: missing or unreadable.
    """
    stream: IO[bytes] = FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    return stream


def read_bytes(path: str) -> bytes:
    """Raises:
    OSError: missing or unreadable.
    """
    with open_read(path) as stream:
        return stream.read()


@contextmanager
def atomic_writer(path: str) -> Iterator[IO[bytes]]:
    """A stream whose bytes appear under `path` all at once, when the block ends without an error."""
    folder, name = FileSystems.split(path)
    temporary = FileSystems.join(folder, f"{TEMPORARY}{uuid.uuid4().hex}-{name}")
    if is_local(path):
        Path(folder).mkdir(parents=True, exist_ok=True)
    try:
        with FileSystems.create(temporary, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
            yield stream
        _rename(temporary, path)
    except BaseException:
        delete(temporary)
        raise


def write_bytes(path: str, content: bytes) -> None:
    """Atomically."""
    with atomic_writer(path) as stream:
        stream.write(content)


def delete(path: str) -> None:
    """Removes a file; one that is not there is no error."""
    try:
        FileSystems.delete([path])
    except BeamIOError:
        if FileSystems.exists(path):
            raise


def _rename(source: str, destination: str) -> None:
    if is_local(destination):
        Path(source).replace(destination)  # atomic, also over an existing file; Beam's own rename is not
    else:
        FileSystems.rename([source], [destination])
