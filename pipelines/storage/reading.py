"""One reading of a source file: its digest, what it holds and its frames are of the same bytes, or it is said
that they are not."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines.storage import fetch
from schemas.reasons import MediaError, Reason
from storage import files

TICK_S = 0.02  # two writes within one tick of the kernel's clock leave one time


@dataclass(frozen=True)
class Copy:
    """A file on this machine's disk.

    Attributes:
        uri: whose bytes they are.
        path: the file itself where it lies on a disk, else a copy of ours.
        version: as `fetch.version` has it.
        stamp: of a file on a disk what changes with its bytes, also where size and time of writing are put
            back; empty for our own copy, which nobody changes.
    """

    uri: str
    path: str
    version: str
    stamp: str = ""

    def check(self) -> None:
        """Raises:
        MediaError: changed; not_found.
        StorageError: the disk fails.
        """
        if self.stamp and stamp_of(self.uri) != self.stamp:
            raise changed(self.uri)

    def blame(self) -> None:
        """To be asked when something could not be read: was it the file? Reads all of it.

        Raises:
            MediaError: changed; not_found.
            StorageError: the disk fails.
        """
        self.sha256()
        self.check()

    def sha256(self) -> str:
        """In hex; raises as `check` does."""
        with fetch.as_media_errors(self.uri), Path(self.path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


def changed(uri: str) -> MediaError:
    """To be said of a file that does not stand still."""
    return MediaError(Reason.CHANGED, f"{uri}: another file, or written to, while it was read")


@contextmanager
def reading(uri: str, version: str = "") -> Iterator[Copy]:
    """The file, until the block ends; in this version, if one is given.

    Raises:
        MediaError: not_found, unreadable; changed, also while it was fetched.
        StorageError: the storage fails.
    """
    before = fetch.version(uri)
    if version not in ("", before):
        raise changed(uri)
    if files.is_local(uri):
        yield Copy(uri, files.local_path(uri), before, stamp_of(uri))
        return
    with _folder() as folder:
        path = str(Path(folder, "media"))
        fetch.download(uri, path)
        if fetch.version(uri) != before:
            raise changed(uri)
        yield Copy(uri, path, before)


_folders: set[str] = set()


@contextmanager
def _folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="favor-data-") as folder:
        _folders.add(folder)
        try:
            yield folder
        finally:
            _folders.discard(folder)


def discard_copies() -> None:
    """Before this process ends without leaving its blocks."""
    for folder in list(_folders):
        shutil.rmtree(folder, ignore_errors=True)


def stamp_of(uri: str) -> str:
    """Copy.stamp, now; raises as Copy.check does."""
    if not files.is_local(uri):
        return ""
    with fetch.as_media_errors(uri):
        return _stamp(files.local_path(uri))


def _stamp(path: str) -> str:
    """Opened for it: a network disk asks its server then, and may answer from memory else."""
    deadline = time.monotonic() + 50 * TICK_S
    while True:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            found = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise MediaError(Reason.UNREADABLE, f"{path}: not a regular file")
        if 0 <= time.time() - found.st_ctime < TICK_S:
            if time.monotonic() > deadline:
                raise changed(path)
            time.sleep(TICK_S)
            continue
        return f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}-{found.st_ctime_ns}"
