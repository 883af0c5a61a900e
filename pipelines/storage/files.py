"""Whole files through Beam's file systems: local, gs://, s3://, hdfs:// alike."""

from __future__ import annotations

import os
import re
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EACCES, ENOENT
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import IO

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipelines.errors import StorageError

STAGING = ".tmp"
_HOST = re.sub(r"[^A-Za-z0-9.]", "_", socket.gethostname())
_FOREIGN_AGE_S = 24 * 3600.0


def is_local(path: str) -> bool:
    """Whether Beam would open the path on this machine's own disk."""
    return FileSystems.get_scheme(path) is None


def absolute(path: str) -> str:
    """The one spelling of a folder or file: no `..`, no trailing slash."""
    return os.path.abspath(path) if is_local(path) else path.rstrip("/")  # noqa: PTH100 (resolves no links)


def join(base: str, *parts: str) -> str:
    """Path below `base`, with the base's own separator."""
    return str(FileSystems.join(base, *parts))


def _client_errors() -> tuple[type[Exception], ...]:
    """What the object stores' clients raise that is no OSError; a client may not be installed."""
    found: list[type[Exception]] = []
    for module, name in (
        ("apache_beam.io.aws.clients.s3.messages", "S3ClientError"),
        ("botocore.exceptions", "BotoCoreError"),
        ("google.api_core.exceptions", "GoogleAPIError"),
    ):
        with suppress(ImportError):
            found.append(getattr(import_module(module), name))
    return tuple(found)


ERRORS: tuple[type[Exception], ...] = (OSError, *_client_errors())


@contextmanager
def translated(path: str) -> Iterator[None]:
    """One meaning for each storage's own errors.

    Raises:
        FileNotFoundError, PermissionError: of this file; the storage itself is well.
        StorageError: everything else.
    """
    try:
        yield
    except ERRORS as error:
        if isinstance(error, (FileNotFoundError, PermissionError)):
            raise
        code = _http_status(error)
        if code == HTTPStatus.NOT_FOUND or "Path does not exist" in str(error):
            raise FileNotFoundError(ENOENT, "no such object", path) from error
        if code == HTTPStatus.FORBIDDEN:
            raise PermissionError(EACCES, "access denied", path) from error
        raise StorageError(f"{path}: {getattr(error, 'strerror', None) or _one_line(error)}") from error


def _http_status(error: Exception) -> int | None:
    details = getattr(error, "exception_details", None) or {}
    causes = [error, *details.values(), error.__cause__, error.__context__]
    return next((code for cause in causes if isinstance(code := getattr(cause, "code", None), int)), None)


def _one_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def exists(path: str) -> bool:
    """Whether a file or object is there; raises StorageError."""
    with translated(path):
        return bool(FileSystems.exists(path))


def size(path: str) -> int:
    """Bytes; raises as `translated` does."""
    with translated(path):
        return int(FileSystems.get_filesystem(path).size(path))


@contextmanager
def open_read(path: str) -> Iterator[IO[bytes]]:
    """The stored bytes as they are, never decompressed by their name.

    Raises:
        FileNotFoundError, PermissionError, StorageError: also while the block reads.
    """
    with translated(path), FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
        yield stream


def read_bytes(path: str) -> bytes:
    """Raises as `open_read` does."""
    with open_read(path) as stream:
        return stream.read()


def sizes(pattern: str) -> dict[str, int]:
    """Path -> bytes of the files that match, sorted; raises StorageError."""
    with translated(pattern):
        [found] = FileSystems.match([pattern])
    return {m.path: m.size_in_bytes for m in sorted(found.metadata_list, key=lambda m: str(m.path))}


def staging_path(root: str) -> str:
    """A new name in `ROOT/.tmp`, which says whose it is."""
    return join(root, STAGING, f"{_HOST}-{os.getpid()}-{uuid.uuid4().hex}")


@contextmanager
def atomic_writer(path: str, root: str) -> Iterator[IO[bytes]]:
    """A stream whose bytes appear under `path` all at once, when the block ends without an error.

    Until then they lie in `ROOT/.tmp`, where `sweep` finds what a killed process left.

    Raises:
        StorageError: disk full, read-only, no permission, server gone.
    """
    temporary = staging_path(root)
    try:
        with FileSystems.create(temporary, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
            yield stream
        _rename(temporary, path)
    except BaseException as error:
        _try_delete(temporary)
        if isinstance(error, ERRORS):
            reason = getattr(error, "strerror", None) or _one_line(error)
            raise StorageError(f"{path} cannot be written: {reason}") from error
        raise


def write_bytes(path: str, root: str, content: bytes) -> None:
    """Atomically; raises as `atomic_writer` does."""
    with atomic_writer(path, root) as stream:
        stream.write(content)


def sweep(root: str) -> None:
    """Removes what killed builds left in `ROOT/.tmp`: files of processes that no longer run here, and
    those of other machines after a day."""
    staging = join(root, STAGING)
    with suppress(*ERRORS):
        _sweep(staging)
    if is_local(staging):
        with suppress(OSError):  # another build's files are in it, or it is not there
            Path(staging).rmdir()


def _sweep(staging: str) -> None:
    [found] = FileSystems.match([join(staging, "*")])
    for metadata in found.metadata_list:
        host, _, process = FileSystems.split(metadata.path)[1].rpartition("-")[0].rpartition("-")
        old = metadata.last_updated_in_seconds < time.time() - _FOREIGN_AGE_S
        if (host == _HOST and not _runs(int(process))) or (host != _HOST and old):
            _try_delete(metadata.path)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def delete(path: str) -> None:
    """Removes a file; one that is not there is no error.

    Raises:
        StorageError: it cannot be removed.
    """
    try:
        FileSystems.delete([path])
    except ERRORS as error:
        if exists(path):
            raise StorageError(f"{path} cannot be removed: {_one_line(error)}") from error


def _try_delete(path: str) -> None:
    with suppress(*ERRORS):  # the disk or server that failed may fail here too; `sweep` comes again
        FileSystems.delete([path])


def _rename(source: str, destination: str) -> None:
    if is_local(destination):
        Path(destination).parent.mkdir(parents=True, exist_ok=True)
        Path(source).replace(destination)  # atomic, also over an existing file; Beam's own rename is not
    else:
        FileSystems.rename([source], [destination])
