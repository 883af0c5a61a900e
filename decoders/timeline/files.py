"""The one file that is read: by its name, or as a parent opened it for a process that may open nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from errno import EACCES, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM

from schemas.reasons import MediaError, Reason


class OpenedFile:
    """Descriptors of one file, each with a position of its own. Thread-safe.

    Attributes:
        name: its path, for whoever opens by that.
    """

    def __init__(self, descriptors: Sequence[int], name: str = "") -> None:
        self.name = name
        self._all = tuple(descriptors)
        self._free = list(descriptors)

    def take(self) -> int:
        """One that nobody else reads, at the file's beginning."""
        descriptor = self._free.pop()
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    def give_back(self, descriptor: int) -> None:
        self._free.append(descriptor)

    def fileno(self) -> int:
        """Any of them."""
        return self._all[0]

    def close(self) -> None:
        for descriptor in self._all:
            os.close(descriptor)


MediaFile = str | OpenedFile


def of_file(error: OSError) -> MediaError | None:
    """What the system says of one file; None where it speaks of itself (descriptors, memory, a disk)."""
    if error.errno == ENOENT:
        return MediaError(Reason.NOT_FOUND, "no such file")
    if error.errno in (EACCES, EPERM, EISDIR, ELOOP, ENAMETOOLONG, ENOTDIR):
        return MediaError(Reason.UNREADABLE, str(error))
    return None


def open_regular(path: str) -> int:
    """The descriptor of a regular file; anything else (a pipe, a device) is not even opened.

    Raises:
        MediaError: not_found, unreadable.
        OSError: the system has no descriptors left, or its disk fails.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
            raise MediaError(Reason.UNREADABLE, "not a regular file")
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except ValueError as error:
        raise MediaError(Reason.UNREADABLE, str(error)) from error
    except OSError as error:
        raise of_file(error) or error from error


@contextmanager
def opened(file: MediaFile) -> Iterator[int]:
    """A descriptor at the file's beginning, while the block runs.

    Raises:
        MediaError, OSError: as `open_regular`.
    """
    if isinstance(file, OpenedFile):
        descriptor = file.take()
        try:
            yield descriptor
        finally:
            file.give_back(descriptor)
        return
    descriptor = open_regular(file)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
