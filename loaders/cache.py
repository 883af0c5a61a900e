"""A folder on this machine's disk that keeps what was read of remote shards, for all its processes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

BLOCK_BYTES = 8 << 20
_KEEP = 0.9  # of the limit is left when old blocks make room


@dataclass(frozen=True)
class LocalCache:
    """Blocks of shards, each a file that appears whole; the ones not read for longest make room.

    Ranks and workers share it by its folder alone: nothing runs beside them, and one that dies leaves nothing
    locked. What several want at once one of them fetches.

    Args:
        folder: on a local disk.
        limit: bytes; at most a block a process more, while it is written.
    """

    folder: str | os.PathLike[str]
    limit: int
    block_bytes: int = BLOCK_BYTES

    def __post_init__(self) -> None:
        if self.limit < self.block_bytes:
            raise ValueError(f"a cache of {self.limit} bytes cannot hold a block of {self.block_bytes}")

    def read_into(
        self, name: str, offset: int, target: memoryview, fetch: Callable[[int, int], bytes]
    ) -> int:
        """Fills `target` from `offset` on; returns how many bytes there were.

        Args:
            name: of the shard and of its version: another content must have another name.
            fetch: (offset, size) -> the bytes, fewer at the shard's end.
        """
        done, size = 0, len(target)
        while done < size:
            number, start = divmod(offset + done, self.block_bytes)
            content = self._block(name, number, fetch)
            piece = content[start : start + size - done]
            if not piece:
                break
            target[done : done + len(piece)] = piece
            done += len(piece)
        return done

    def forget(self, name: str, offset: int, size: int) -> bool:
        """Removes the blocks of a range; whether there were any."""
        removed = False
        for number in range(offset // self.block_bytes, -(-(offset + size) // self.block_bytes)):
            with suppress(FileNotFoundError):
                self._path(name, number).unlink()
                removed = True
        return removed

    def _block(self, name: str, number: int, fetch: Callable[[int, int], bytes]) -> bytes:
        path = self._path(name, number)
        if (content := _read(path)) is not None:
            return content
        with self._locked(path.parent.name):
            if (content := _read(path)) is not None:  # another process was faster
                return content
            content = fetch(number * self.block_bytes, self.block_bytes)
            self._write(path, content)
        return content

    def _write(self, path: Path, content: bytes) -> None:
        partial = path.with_suffix(f".{os.getpid()}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
        # Looking at all blocks costs more than writing one, so only about each hundredth part of the limit.
        if random.SystemRandom().random() < max(len(content) / self.limit * 100, 0.01):
            self.make_room()

    def make_room(self) -> None:
        """Removes the blocks not read for longest, where there are more than the limit allows."""
        with self._locked("room"):
            blocks = sorted(self._blocks())
            held = sum(size for _, size, _ in blocks)
            if held <= self.limit:
                return
            for _, size, path in blocks:
                if held <= self.limit * _KEEP:
                    break
                with suppress(FileNotFoundError):
                    path.unlink()
                held -= size

    def _blocks(self) -> Iterator[tuple[int, int, Path]]:
        """(when last read, bytes, path); what a killed process left half-written counts too."""
        for folder in Path(self.folder).glob("??"):
            for path in folder.iterdir():
                with suppress(FileNotFoundError):
                    status = path.stat()
                    yield status.st_mtime_ns, status.st_size, path

    def _path(self, name: str, number: int) -> Path:
        digest = hashlib.sha256(f"{name}\0{self.block_bytes}\0{number}".encode()).hexdigest()
        return Path(self.folder, digest[:2], digest)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """For one process and thread at a time; the system lets go when a process ends, however that is."""
        folder = Path(self.folder, "locks")
        folder.mkdir(parents=True, exist_ok=True)
        with Path(folder, name).open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _read(path: Path) -> bytes | None:
    """None: not there. Reading makes it the youngest."""
    try:
        with path.open("rb", buffering=0) as file:
            os.utime(file.fileno())
            return file.read()
    except FileNotFoundError:
        return None
