"""The contract: whole files and ranges of them, by uri. Everything else of the product reads and writes so.

Every function raises, of one file, FileNotFoundError and PermissionError, and StorageError (one line that
names the file) for whatever else the storage says: after trying again, where trying again may help, for a
minute. A write raises StorageError alone. ValueError: a scheme that nobody knows, a name with a NUL in it.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

from storage import disk, objects
from storage.entry import ALIVE, HEARTBEAT_S, STAGING, TOLD_S, Entry
from storage.errors import StorageError, TooLargeError, is_storages, translated, writing
from storage.objects import each
from storage.uris import absolute, is_local, join, local_path, scheme, split

__all__ = [
    "ALIVE",
    "STAGING",
    "Entry",
    "StorageError",
    "TooLargeError",
    "absolute",
    "atomic_writer",
    "check_bucket",
    "create_if_absent",
    "delete",
    "delete_many",
    "download",
    "each",
    "entries",
    "entry",
    "exists",
    "is_local",
    "join",
    "listing",
    "local_path",
    "open_read",
    "put",
    "read_bytes",
    "read_many",
    "read_range",
    "read_ranges",
    "scheme",
    "scratch",
    "split",
    "staging_path",
    "sweep",
]  # fmt: skip
MOST_BYTES = 100 * 10**9  # a day of 1080p at 9 Mbit/s
_READ_AHEAD = 1 << 20
_FIRST_CONTACT_S = 5.0


def entry(uri: str) -> Entry:
    """Size and version."""
    with translated(uri):
        return disk.entry(local_path(uri)) if is_local(uri) else objects.entry(uri)


def entries(uris: Iterable[str]) -> dict[str, Entry | OSError | StorageError]:
    """Size and version of many, or why there is none: FileNotFoundError, PermissionError; where none of the
    web's hosts is to blame for all of them, StorageError too."""
    found: dict[str, Entry | OSError | StorageError] = {}
    remote = []
    for uri in dict.fromkeys(uris):
        if not is_local(uri):
            remote.append(uri)
            continue
        try:
            found[uri] = entry(uri)
        except (FileNotFoundError, PermissionError) as error:
            found[uri] = error
    if remote:
        with translated(remote[0]):
            asked = objects.entries(remote)
        failures = [error for error in asked.values() if isinstance(error, StorageError)]
        if len(failures) == len(asked):
            raise failures[0]  # it is this machine's network
        found |= asked
    return found


def check_bucket(uri: str) -> None:
    """Asks a store that has buckets, or a hub, whether there is this one, and does not wait long.

    Raises:
        FileNotFoundError: there is none.
        StorageError: nobody answers.
    """
    with translated(uri), suppress(PermissionError):  # who may not list it may well read from it
        objects.check_bucket(uri, _FIRST_CONTACT_S)


def exists(uri: str) -> bool:
    """Whether there is a file; raises PermissionError, StorageError."""
    if is_local(uri):
        with translated(uri):
            return Path(local_path(uri)).exists()
    try:
        entry(uri)
    except FileNotFoundError:
        return False
    return True


def listing(folder: str) -> dict[str, Entry]:
    """Every file below a folder, uri -> size and version, sorted; none where there is no such folder."""
    with translated(folder):
        found = disk.listing(local_path(folder)) if is_local(folder) else objects.listing(folder)
        return dict(sorted(found))


def read_bytes(uri: str) -> bytes:
    """The whole content."""
    with translated(uri):
        return Path(local_path(uri)).read_bytes() if is_local(uri) else objects.read_bytes(uri)


def read_range(uri: str, offset: int, size: int) -> bytes:
    """`size` bytes from `offset` on, fewer where the file ends."""
    with translated(uri):
        if is_local(uri):
            return disk.read_range(local_path(uri), offset, size)
        return objects.read_range(uri, offset, size)


def read_tail(uri: str, size: int) -> bytes:
    """The last `size` bytes, fewer of a shorter file; one request."""
    with translated(uri):
        if is_local(uri):
            path = Path(local_path(uri))
            return disk.read_range(str(path), max(0, path.stat().st_size - size), size)
        return objects.read_tail(uri, size)


def read_many(uris: Sequence[str]) -> list[bytes | None]:
    """The whole contents in order, None for a file that is not there; from a store several at once."""

    def read(uri: str) -> bytes | None:
        with suppress(FileNotFoundError):
            return read_bytes(uri)
        return None

    if all(map(is_local, uris)):
        return [read(uri) for uri in uris]
    return each(read, uris)


def read_ranges(ranges: Sequence[tuple[str, int, int]]) -> list[bytes]:
    """Several (uri, offset, size) as `read_range` reads one; from a store several at once."""
    if all(is_local(uri) for uri, _, _ in ranges):
        return [read_range(*item) for item in ranges]
    return each(lambda item: read_range(*item), ranges)


@contextmanager
def open_read(uri: str) -> Iterator[IO[bytes]]:
    """A stream that can seek; what goes wrong while the block reads is translated too."""
    with translated(uri):
        if is_local(uri):
            with Path(local_path(uri)).open("rb") as stream:
                yield stream
        else:
            with io.BufferedReader(_Ranges(uri, objects.entry(uri).size), _READ_AHEAD) as buffered:
                yield buffered


class _Ranges(io.RawIOBase):
    """Every read is a request, which can be tried again."""

    def __init__(self, uri: str, size: int) -> None:
        self._uri, self._size, self._at = uri, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        size = len(buffer) if self._size < 0 else max(0, min(len(buffer), self._size - self._at))
        content = objects.read_range(self._uri, self._at, size)
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)


def download(uri: str, path: str, most: int = MOST_BYTES) -> None:
    """The whole, into a file on this machine; raises TooLargeError if it has more bytes than `most`."""
    with translated(uri):
        objects.download(uri, path, most)


def put(uri: str, content: bytes, root: str | None = None, *, durable: bool = True) -> None:
    """The whole at once: a reader finds what was there before or all of this.

    Args:
        root: the folder whose `.tmp` a disk's unfinished files lie in; None: the file's own.
        durable: on a disk, it outlasts a power cut as soon as this returns.
    """
    if is_local(uri):
        with atomic_writer(uri, root, durable=durable) as stream:
            stream.write(content)
    else:
        with writing(uri):
            objects.put(uri, content)


@contextmanager
def atomic_writer(uri: str, root: str | None = None, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """A stream whose bytes appear all at once when the block ends, and not at all if it ends in an error.

    Arguments as `put` takes them.
    """
    with writing(uri):
        if is_local(uri):
            path = local_path(uri)
            with disk.atomic_writer(path, root or split(path)[0], durable) as stream:
                yield stream
        else:
            with objects.atomic_writer(uri) as stream:
                yield stream


def create_if_absent(uri: str, content: bytes, root: str | None = None) -> bool:
    """Whether the file is now this content, put there at once and for good because there was none.

    Of rivals exactly one is told True: by a link on a disk, by a condition that the store itself holds on
    S3 (`If-None-Match: *`) and GCS (generation 0). A store's answer may be lost and the request repeated,
    so there the content decides: a caller who must tell rivals apart writes what none of them would.

    Raises:
        StorageError: also on storage that has no such condition (http, hf).
    """
    with writing(uri):
        if is_local(uri):
            path = local_path(uri)
            return disk.create_if_absent(path, content, root or split(path)[0])
        return objects.create_if_absent(uri, content)


def delete(uri: str) -> None:
    """Removes a file; one that is not there is no error."""
    delete_many([uri])


def delete_many(uris: Sequence[str]) -> None:
    """Removes files of one storage; raises StorageError where one stays."""
    try:
        if uris and is_local(uris[0]):
            disk.delete_many(map(local_path, uris))
        elif uris:
            objects.delete_many(uris)
    except Exception as error:
        if not is_storages(error):
            raise
        some = uris[0] if len(uris) == 1 else f"{len(uris)} files of {split(uris[0])[0]}"
        raise StorageError(f"{some} cannot be removed: {error}") from error


def staging_path(root: str) -> str:
    """A new name in `ROOT/.tmp`."""
    return disk.staging_path(local_path(root)) if is_local(root) else join(root, disk.staging_path(STAGING))


@contextmanager
def scratch(uri: str, content: Iterable[bytes], told: Callable[[], bytes] | None = None) -> Iterator[None]:
    """While the block runs the file (one that `staging_path` named) is there, and no sweep takes it.

    Args:
        told: how far the block is, asked every few seconds: what it says lies in the file's name + ALIVE.
    """
    with ExitStack() as stack:
        with writing(uri):
            if is_local(uri):
                stack.enter_context(disk.scratch(local_path(uri), content))
                stack.enter_context(_heartbeat(partial(disk.touch, local_path(uri)), told))
            else:
                with objects.atomic_writer(uri) as stream:
                    stream.writelines(content)
                stack.callback(delete_many, [uri, uri + ALIVE])
                stack.enter_context(_heartbeat(partial(objects.touch, uri), told))
        yield


@contextmanager
def _heartbeat(beat: Callable[[bytes], None], told: Callable[[], bytes] | None) -> Iterator[None]:
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(TOLD_S if told else HEARTBEAT_S):
            with suppress(OSError, StorageError):
                beat(told() if told else b"")

    thread = threading.Thread(target=run, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def sweep(root: str) -> None:
    """Removes what ended writers left in `ROOT/.tmp`; never fails.

    On a disk that is what nobody holds a lock on, if it was made under this running kernel (so also in
    another container), or was not written for a day; on an object store what was not written for a day.
    """
    with suppress(OSError, StorageError):
        if is_local(root):
            disk.sweep(local_path(root))
        else:
            objects.sweep(join(root, STAGING))
