"""What a source file is: there or not, in which version, its bytes; plain paths, object stores, members of
tars, cells of tables."""

from __future__ import annotations

import stat
import tarfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from errno import EINVAL, EISDIR, ELOOP, ENAMETOOLONG, ENOTDIR, ENXIO
from pathlib import Path

from pipelines.errors import StorageError
from pipelines.storage import parquet_cells, tars, unpack
from pipelines.storage.tars import TarMember
from schemas.forms import embedded
from schemas.reasons import MediaError, Reason
from storage import files
from storage.errors import translated

_READ_BYTES = 16 << 20
_OF_THE_FILE = {
    EINVAL,
    EISDIR,
    ELOOP,
    ENAMETOOLONG,
    ENOTDIR,
    ENXIO,
}  # what a disk says of a name, not of itself
_STARTED = time.time()


def version(uri: str) -> str:
    """A string that changes when the file does: size and modification time.

    Raises:
        MediaError: NOT_FOUND, UNREADABLE.
    """
    with as_media_errors(uri):
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
            found[uri] = MediaError(error.reason, error.detail)  # without the frames that it went through
    return found


def _version_of(uri: str, entry: files.Entry | OSError | StorageError) -> str:
    if isinstance(entry, StorageError):
        raise MediaError(Reason.UNREADABLE, str(entry)) from entry
    with as_media_errors(uri):
        if isinstance(entry, OSError):
            raise entry
        return entry.version


def download(uri: str, path: str) -> None:
    """The bytes of what does not lie on a disk as a file of its own.

    Raises:
        MediaError: NOT_FOUND, UNREADABLE.
        StorageError: the storage fails.
    """
    with as_media_errors(uri):
        _download(uri, Path(path))


def vanished(uri: str, since: float = _STARTED) -> bool:
    """Whether of a local file that is not there the folder is not there either, or is empty, as the place of
    a disk that is not mounted is: not written to after `since`."""
    if not files.is_local(_file_of(uri)):
        return False
    folder = Path(files.local_path(_file_of(uri))).parent
    try:
        return not any(folder.iterdir()) and folder.stat().st_mtime < since
    except OSError:
        return True


def _file_of(uri: str) -> str:
    """The file that holds it."""
    if uri.startswith(tars.SCHEME):
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
    if not uri.startswith(tars.SCHEME):
        files.download(uri, str(path))
        return
    member = TarMember.parse(uri)
    tar = unpack.plain(member.tar)
    members = tars.read_archive(tar).members
    if member.name not in members:
        raise FileNotFoundError(f"{member.tar} holds no member {member.name}")
    extent = members[member.name]
    offset, left, sparse = extent
    with path.open("wb") as copy:
        if sparse:
            copy.writelines(tars.read_sparse(tar, extent))
            return
        while left and (part := files.read_range(tar, offset, min(left, _READ_BYTES))):
            copy.write(part)
            offset, left = offset + len(part), left - len(part)
    if left:
        raise tarfile.ReadError(f"{member.tar} ends inside {member.name}")


def _regular_file(path: str) -> None:
    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise MediaError(Reason.UNREADABLE, f"{path}: not a regular file")
    Path(path).open("rb").close()


@contextmanager
def as_media_errors(uri: str) -> Iterator[None]:
    """A file that is not there or may not be read is the input's fault; a storage that fails is not."""
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
        if getattr(error.__cause__, "errno", None) in _OF_THE_FILE:
            raise MediaError(Reason.UNREADABLE, str(error)) from error
        raise
    except ValueError as error:  # no Parquet file, a path with a NUL byte, a scheme that nobody knows
        raise MediaError(Reason.UNREADABLE, f"{uri}: {error}") from error
