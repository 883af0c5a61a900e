"""Bringing one source file to this machine's disk: plain paths, object stores, members of tars."""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from pipelines.errors import StorageError
from pipelines.storage import parquet_cells
from schemas.forms import embedded
from schemas.reasons import MediaError, Reason
from storage import files
from storage.errors import translated

TAR_SCHEME = "tar://"
_READ_BYTES = 16 << 20


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
            _regular_file(files.local_path(path))
        return files.entry(path).version


def versions(uris: Iterable[str]) -> dict[str, str | MediaError]:
    """The version of each, or what speaks against it; a store is asked for many at once."""
    wanted = list(dict.fromkeys(uris))
    stored = files.entries(holder for uri in wanted if (holder := _stored_in(uri)))
    found: dict[str, str | MediaError] = {}
    for uri in wanted:
        try:
            holder = _stored_in(uri)
            found[uri] = _version_of(uri, stored[holder]) if holder in stored else version(uri)
        except MediaError as error:
            found[uri] = error
    return found


def _version_of(uri: str, entry: files.Entry | OSError | StorageError) -> str:
    if isinstance(entry, StorageError):
        raise MediaError(Reason.UNREADABLE, str(entry)) from entry
    with _as_media_errors(uri):
        if isinstance(entry, OSError):
            raise entry
        return entry.version


@contextmanager
def local_copy(uri: str) -> Iterator[str]:
    """A path on this machine's disk with the file's bytes, valid inside the block.

    Raises:
        MediaError: NOT_FOUND, UNREADABLE.
    """
    if files.is_local(uri):
        with _as_media_errors(uri):
            _regular_file(files.local_path(uri))
        yield files.local_path(uri)
        return
    with tempfile.TemporaryDirectory(prefix="favor-data-") as folder:
        path = Path(folder) / "media"
        with _as_media_errors(uri):
            _download(uri, path)
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


def _stored_in(uri: str) -> str | None:
    """The object of a store that holds it; None: a local file, or a uri that none can be read from."""
    try:
        holder = _file_of(uri)
    except ValueError:
        return None
    return None if files.is_local(holder) else holder


def _download(uri: str, path: Path) -> None:
    if uri.startswith(embedded.SCHEME):
        path.write_bytes(parquet_cells.read(embedded.Cell.parse(uri), version(uri)))
        return
    if not uri.startswith(TAR_SCHEME):
        files.download(uri, str(path))
        return
    member = TarMember.parse(uri)
    extents = tar_extents(member.tar)
    if member.name not in extents:
        raise FileNotFoundError(f"{member.tar} holds no member {member.name}")
    offset, left = extents[member.name]
    with path.open("wb") as copy:
        while left and (part := files.read_range(member.tar, offset, min(left, _READ_BYTES))):
            copy.write(part)
            offset, left = offset + len(part), left - len(part)
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
        with translated(uri):
            yield
    except FileNotFoundError as error:
        raise MediaError(Reason.NOT_FOUND, f"{uri}: no such file") from error
    except files.TooLargeError as error:
        raise MediaError(Reason.TOO_LARGE, str(error)) from error
    except (PermissionError, tarfile.TarError) as error:
        raise MediaError(Reason.UNREADABLE, f"{uri}: {getattr(error, 'strerror', None) or error}") from error
    except StorageError as error:
        if files.is_local(uri):  # not a regular file, a loop of links, a name too long
            raise MediaError(Reason.UNREADABLE, str(error)) from error
        raise
    except ValueError as error:  # no Parquet file, a path with a NUL byte, a scheme that nobody knows
        raise MediaError(Reason.UNREADABLE, f"{uri}: {error}") from error
