"""The files below a folder on this machine: what is hidden, and what the build writes, is passed over."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from storage import files

_SYSTEMS_OWN = ("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx")


class Found(NamedTuple):
    """A file: its path or uri, its name below what was searched, whether the user said what kind it is (by
    its name, or a pattern's ending), and why it cannot be looked at."""

    path: str
    name: str
    named: bool = False
    fault: str = ""


def is_hidden(name: str) -> bool:
    """Of a path below what was searched: `.DS_Store`, `._a.mp4`, `.git/…`, `Thumbs.db`."""
    return any(
        (part.startswith(".") and part not in (".", "..")) or part.lower() in _SYSTEMS_OWN
        for part in name.split("/")
    )


class Apart:
    """The folders that the build writes, whatever links lead there."""

    def __init__(self, own: Sequence[str]) -> None:
        folders = [each for each in own if each]
        self._stores = [each.rstrip("/") for each in folders if not files.is_local(each)]
        self._folders = [os.path.realpath(files.local_path(each)) for each in folders if files.is_local(each)]
        self._real: Callable[[str], str] = lru_cache(maxsize=1024)(os.path.realpath)

    def holds(self, path: str) -> bool:
        """Whether it is one of them, or lies in one."""
        if not files.is_local(path):
            return any(path == each or path.startswith(f"{each}/") for each in self._stores)
        folder, name = os.path.split(path)
        real = os.path.join(self._real(folder), name)  # noqa: PTH118
        return any(real == each or real.startswith(each.rstrip("/") + "/") for each in self._folders)

    def is_reached_by(self, path: str) -> bool:
        """Whether a path on this machine leads into one of them, by whatever links."""
        return self.holds(files.absolute(path)) or os.path.realpath(path) in self._folders


def walk(root: Path, apart: Apart, deepest: int | None = None) -> Iterator[Found]:
    """Every file below, sorted folder by folder. Links to folders are followed once all else is known: no
    folder is read twice, and none that the root itself lies in.

    Args:
        deepest: so many folders down; None: all.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        top = waiting.pop(0)
        links: list[Path] = []
        if top == root or not root.resolve().is_relative_to(top.resolve()):
            yield from _walk(top, root, apart, deepest, seen, links)
        waiting += links


def _walk(
    top: Path,
    root: Path,
    apart: Apart,
    deepest: int | None,
    seen: set[tuple[int, int]],
    links: list[Path],
) -> Iterator[Found]:
    unread: list[OSError] = []
    for parent, folders, names in os.walk(top, onerror=unread.append):
        here, status = Path(parent), Path(parent).stat()
        known = (status.st_dev, status.st_ino) in seen
        seen.add((status.st_dev, status.st_ino))
        level = len(here.relative_to(root).parts)
        if known or (deepest is not None and level >= deepest):
            folders.clear()
        kept = [here / name for name in sorted(folders) if not is_hidden(name)]
        kept = [path for path in kept if not apart.holds(str(path))]
        links += [path for path in kept if path.is_symlink()]
        folders[:] = [path.name for path in kept if not path.is_symlink()]
        for name in () if known else sorted(names):
            if not is_hidden(name):
                yield Found(str(here / name), (here / name).relative_to(root).as_posix())
    for error in unread:
        path = Path(os.fsdecode(error.filename))
        fault = f"the folder cannot be read: {error.strerror}"
        yield Found(str(path), path.relative_to(root).as_posix(), fault=fault)
