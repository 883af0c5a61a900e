"""The content-addressed cache: what was computed once is found again under the hash of all that made it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from storage import files
from storage.errors import StorageError


class VanishedError(StorageError):
    """An entry that was there a moment ago: somebody pruned the cache meanwhile."""


@dataclass(frozen=True)
class Cache:
    """Entries are immutable files `ROOT/ab/abcdef….SUFFIX`; several builds may share one root."""

    root: str

    def path(self, key: str, suffix: str) -> str:
        return self.at(f"{key}.{suffix}")

    def at(self, name: str) -> str:
        """Of an entry's file, by its name."""
        return files.join(self.root, name[:2], name)

    def has(self, key: str, suffix: str) -> bool:
        return files.exists(self.path(key, suffix))

    def get(self, key: str, suffix: str) -> bytes:
        """Raises:
        VanishedError: not there.
        """
        try:
            return files.read_bytes(self.path(key, suffix))
        except FileNotFoundError as error:
            raise VanishedError(f"{self.path(key, suffix)} is not there any more") from error

    def find(self, key: str, suffix: str) -> bytes | None:
        """The entry, or None where there is none."""
        try:
            return self.get(key, suffix)
        except VanishedError:
            return None

    def size(self, key: str, suffix: str) -> int:
        """Bytes of an entry.

        Raises:
            VanishedError: not there.
        """
        try:
            return files.entry(self.path(key, suffix)).size
        except FileNotFoundError as error:
            raise VanishedError(f"{self.path(key, suffix)} is not there any more") from error

    def put(self, key: str, suffix: str, content: bytes) -> None:
        """Atomic; a second writer of the same key writes the same bytes."""
        files.put(self.path(key, suffix), content, self.root, durable=False)  # a power cut: made again


def memo_key(uri: str, version: str) -> str:
    """SHA-256, hex, of a file's name and version (size and modification time, or etag)."""
    return hashlib.sha256(f"{uri}\0{version}".encode()).hexdigest()
