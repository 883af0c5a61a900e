"""Compressed tars, unpacked once a machine: a member cannot be read without all that lies before it."""

from __future__ import annotations

import atexit
import bz2
import fcntl
import gzip
import lzma
import os
import stat
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from pipelines.storage.cache import memo_key
from storage import files
from storage.errors import StorageError

_OPENERS: dict[tuple[str, ...], Callable[..., Any]] = {
    (".tar.gz", ".tgz"): gzip.open,
    (".tar.bz2", ".tbz2"): bz2.open,
    (".tar.xz", ".txz"): lzma.open,
}
SUFFIXES = tuple(suffix for suffixes in _OPENERS for suffix in suffixes)
_MOST, _FREE = 100, 1 << 30  # times its own size, from this many bytes on: media do not shrink so


def is_compressed(path: str) -> bool:
    """By its name."""
    return path.lower().endswith(SUFFIXES)


def plain(tar: str) -> str:
    """The tar itself, or a copy of it that is not compressed, which lies in the folder for temporary files
    until the process that made it ends.

    Raises:
        tarfile.ReadError: not what its name says, or it would take over 100 times its size.
        FileNotFoundError, PermissionError: of the tar.
        StorageError: the tar is remote, or there is no room for the copy.
    """
    if not is_compressed(tar):
        return tar
    if not files.is_local(tar):
        raise StorageError(f"{tar}: a compressed tar is read from a disk only: download it, or unpack it")
    return _unpacked(tar, files.entry(tar).version)


@lru_cache(maxsize=64)
def _unpacked(tar: str, version: str) -> str:
    folder = Path(tempfile.gettempdir(), f"favor-data-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    held = folder.lstat()
    if not stat.S_ISDIR(held.st_mode) or held.st_uid != os.getuid():
        raise StorageError(f"{folder} is somebody else's: set TMPDIR to a folder of your own")
    copy = folder / f"{memo_key(tar, version)}.tar"
    with (folder / f"{copy.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not copy.exists():
            _unpack(tar, copy)
            atexit.register(copy.unlink, missing_ok=True)
    return str(copy)


def _unpack(tar: str, copy: Path) -> None:
    [opener] = [opener for suffixes, opener in _OPENERS.items() if tar.lower().endswith(suffixes)]
    most = max(_FREE, _MOST * files.entry(tar).size)
    part = copy.with_suffix(".part")
    try:
        with opener(files.local_path(tar), "rb") as packed, part.open("wb") as unpacked:
            _copy(packed, unpacked, most)
        part.rename(copy)
    except OSError as error:
        if isinstance(error, (FileNotFoundError, PermissionError)):
            raise
        raise StorageError(f"{tar} cannot be unpacked into {copy.parent}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _copy(packed: IO[bytes], unpacked: IO[bytes], most: int) -> None:
    """What comes before the bytes that are damaged or not there."""
    while content := _read(packed, started=unpacked.tell() > 0):
        unpacked.write(content)
        if unpacked.tell() > most:
            raise tarfile.ReadError(f"takes more than {most} bytes when unpacked")


def _read(packed: IO[bytes], started: bool) -> bytes:
    try:
        return packed.read(64 << 10)
    except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        if started:
            return b""
        raise tarfile.ReadError(f"cannot be unpacked: {error}") from error
