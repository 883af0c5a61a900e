"""Bringing one source file to this machine's disk: plain paths, object stores, members of tars."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple

from apache_beam.io.filesystems import FileSystems

from pipelines.errors import StorageError
from pipelines.storage import files, parquet_cells
from schemas.forms import embedded
from schemas.reasons import MediaError, Reason

TAR_SCHEME = "tar://"
_READ_BYTES = 1 << 20


class TarMember(NamedTuple):
    """One file of a WebDataset tar; as a uri `tar://MEMBER::TAR`, fsspec's notation."""

    name: str
    tar: str

    @property
    def uri(self) -> str:
        return f"{TAR_SCHEME}{self.name}::{self.tar}"

    @classmethod
    def parse(cls, uri: str) -> TarMember:
        name, _, tar = uri.removeprefix(TAR_SCHEME).rpartition("::")
        return cls(name, tar)


@lru_cache(maxsize=16)
def tar_extents(tar: str) -> dict[str, tuple[int, int]]:
    """Member -> (offset, size) of its content; reads headers only where the file can seek.

    Raises:
        tarfile.TarError: not an uncompressed tar.
        FileNotFoundError, PermissionError, StorageError: it cannot be read.
    """
    with files.open_read(tar) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
        return {member.name: (member.offset_data, member.size) for member in archive if member.isfile()}


def version(uri: str) -> str:
    """A string that changes when the file does: size and modification time.

    Raises:
        MediaError: NOT_FOUND, UNREADABLE.
    """
    with _as_media_errors(uri):
        path = _file_of(uri)
        if files.is_local(path):
            status = _regular_file(path)
            return f"{status.st_size}-{status.st_mtime_ns}"
        metadata = FileSystems.get_filesystem(path).metadata(path)
        return f"{metadata.size_in_bytes}-{metadata.last_updated_in_seconds}"


@contextmanager
def local_copy(uri: str) -> Iterator[str]:
    """A path on this machine's disk with the file's bytes, valid inside the block.

    Raises:
        MediaError: NOT_FOUND, UNREADABLE.
    """
    if files.is_local(uri):
        with _as_media_errors(uri):
            _regular_file(uri)
        yield uri
        return
    with tempfile.TemporaryDirectory(prefix="favor-data-") as folder:
        path = Path(folder) / "media"
        with _as_media_errors(uri), path.open("wb") as copy:
            _download(uri, copy)
        yield str(path)


def sha256(path: str) -> str:
    """SHA-256, in hex, of a local file."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _file_of(uri: str) -> str:
    """The file that holds it."""
    if uri.startswith(TAR_SCHEME):
        return TarMember.parse(uri).tar
    return embedded.Cell.parse(uri).file if uri.startswith(embedded.SCHEME) else uri


def _download(uri: str, copy: IO[bytes]) -> None:
    if uri.startswith(embedded.SCHEME):
        copy.write(parquet_cells.read(embedded.Cell.parse(uri), version(uri)))
        return
    if not uri.startswith(TAR_SCHEME):
        with files.open_read(uri) as stream:
            shutil.copyfileobj(stream, copy, _READ_BYTES)
        return
    member = TarMember.parse(uri)
    extents = tar_extents(member.tar)
    if member.name not in extents:
        raise FileNotFoundError(f"{member.tar} holds no member {member.name}")
    offset, left = extents[member.name]
    with files.open_read(member.tar) as stream:
        stream.seek(offset)
        while left and (part := stream.read(min(left, _READ_BYTES))):
            copy.write(part)
            left -= len(part)
    if left:
        raise tarfile.ReadError(f"{member.tar} ends inside {member.name}")


def _regular_file(path: str) -> os.stat_result:
    status = Path(path).stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError("not a regular file")
    with Path(path).open("rb"):
        return status


@contextmanager
def _as_media_errors(uri: str) -> Iterator[None]:
    """A file that is not there or may not be read is the input's fault; a store that fails is not."""
    try:
        with files.translated(uri):
            yield
    except FileNotFoundError as error:
        raise MediaError(Reason.NOT_FOUND, f"{uri}: no such file") from error
    except (PermissionError, tarfile.TarError) as error:
        raise MediaError(Reason.UNREADABLE, f"{uri}: {getattr(error, 'strerror', None) or error}") from error
    except StorageError as error:
        if files.is_local(uri):  # not a regular file, a loop of links, a name too long
            raise MediaError(Reason.UNREADABLE, str(error)) from error
        raise
    except (
        ValueError
    ) as error:  # no Parquet file; Beam: a path with a NUL byte, a scheme without a file system
        raise MediaError(Reason.UNREADABLE, f"{uri}: {error}") from error
