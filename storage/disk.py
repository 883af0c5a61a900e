"""The contract on a disk: whole files appear at once, under a name that is new or replaces another."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from errno import EMLINK, ENOSYS, ENOTSUP, EOPNOTSUPP, EPERM
from pathlib import Path
from typing import IO

from storage.entry import ALIVE, STAGING, STALE_S, Entry

_NO_LINKS = {
    EMLINK,
    ENOSYS,
    ENOTSUP,
    EOPNOTSUPP,
    EPERM,
}  # exFAT, some mounted object stores and network disks
_TRIES = 20


def _kernel() -> str:
    """The same in all containers of one running kernel, which alone see one another's locks for certain."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip().replace("-", "")
    except OSError:
        return re.sub(r"[^A-Za-z0-9.]", "_", socket.gethostname())


_KERNEL = _kernel()


def entry(path: str) -> Entry:
    """Raises OSError."""
    return _entry(Path(path).stat())


def _entry(status: os.stat_result) -> Entry:
    return Entry(status.st_size, f"{status.st_size}-{status.st_mtime_ns}")


def listing(folder: str) -> Iterator[tuple[str, Entry]]:
    """Every file below, in no order; links to folders are not followed."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as items:
        for item in items:
            if item.is_dir(follow_symlinks=False):
                yield from listing(item.path)
            elif item.is_file():
                with suppress(FileNotFoundError):  # gone since
                    yield item.path, _entry(item.stat())


def read_range(path: str, offset: int, size: int) -> bytes:
    """Shorter where the file ends; raises OSError."""
    with Path(path).open("rb", buffering=0) as stream:
        parts = []
        while size and (part := os.pread(stream.fileno(), size, offset)):  # Linux gives at most 2 GiB a call
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
    return b"".join(parts)


def staging_path(root: str) -> str:
    """A new name in `ROOT/.tmp`."""
    return str(Path(root, STAGING, f"{_KERNEL}-{uuid.uuid4().hex}"))


@contextmanager
def staged(root: str) -> Iterator[tuple[IO[bytes], str]]:
    """A new file in `ROOT/.tmp` that is locked, so that no sweep takes it, and gone after the block."""
    path = staging_path(root)
    with _open_locked(path) as stream:
        try:
            yield stream, path
        finally:
            _discard(path)


def _discard(path: str) -> None:
    """Where the disk will not, a sweep does, and what went wrong before is what is said."""
    with suppress(OSError):
        Path(path).unlink(missing_ok=True)


def _open_locked(path: str) -> IO[bytes]:
    for left in reversed(range(_TRIES)):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        try:
            stream = Path(path).open("xb")  # noqa: SIM115
        except FileNotFoundError:  # a sweep took the empty folder in between
            if not left:
                raise
            continue
        with suppress(BlockingIOError):  # a sweep holds it, and will delete it
            _lock(stream)
            if os.fstat(stream.fileno()).st_nlink:
                return stream
        stream.close()
        Path(path).unlink(missing_ok=True)
    raise OSError(f"{path} was swept again and again")


def _lock(stream: IO[bytes]) -> bool:
    """Whether the file is now ours; the kernel frees it when the process ends, however it ends.

    Raises:
        BlockingIOError: another process has it.
    """
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a file system without locks
        return False
    return True


@contextmanager
def atomic_writer(path: str, root: str, durable: bool) -> Iterator[IO[bytes]]:
    """Raises OSError."""
    with staged(root) as (stream, temporary):
        yield stream
        stream.flush()
        if durable:
            os.fsync(stream.fileno())
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(temporary).replace(path)
        if durable:
            _sync_folder(path)


def create_if_absent(path: str, content: bytes, root: str) -> bool:
    """Raises OSError."""
    with staged(root) as (stream, temporary):
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return _create_in_place(path, content)
    _sync_folder(path)
    return True


def _create_in_place(path: str, content: bytes) -> bool:
    """Where a file has one name only: still one winner, but a kill in between leaves half the content."""
    try:
        stream = Path(path).open("xb")  # noqa: SIM115
    except FileExistsError:
        return False
    with stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    _sync_folder(path)
    return True


def _sync_folder(path: str) -> None:
    """The name itself outlasts a power cut too."""
    descriptor = os.open(Path(path).parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # network disks cannot
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def delete(path: str) -> None:
    """Raises OSError; what is not there is no error."""
    Path(path).unlink(missing_ok=True)


def delete_many(paths: Iterable[str]) -> None:
    """As `delete`."""
    for path in paths:
        delete(path)


@contextmanager
def scratch(path: str, content: Iterable[bytes]) -> Iterator[None]:
    """Raises OSError."""
    with _open_locked(path) as stream:
        try:
            for part in content:
                stream.write(part)
            stream.flush()
            yield
        finally:
            _discard(path)
            _discard(path + ALIVE)


def touch(path: str, said: bytes = b"") -> None:
    """A heartbeat for machines that do not see our locks."""
    os.utime(path)
    if said:
        Path(path + ALIVE).write_bytes(said)


def sweep(root: str) -> None:
    """What a writer left that ended here, and what no writer elsewhere touched for a day."""
    staging = Path(root, STAGING)
    for path, _ in sorted(listing(str(staging))):  # a writer's file before what it said
        with suppress(OSError):
            _sweep(Path(path))
    with suppress(OSError):  # somebody's files are in it, or it is not there
        staging.rmdir()


def _sweep(path: Path) -> None:
    if path.name.endswith(ALIVE) and path.with_suffix("").exists():
        return
    with path.open("rb") as stream:
        ended_here = _lock(stream) and path.name.startswith(f"{_KERNEL}-")
        if ended_here or time.time() - os.fstat(stream.fileno()).st_mtime > STALE_S:
            path.unlink()
