"""Every write below a folder, seen before it happens: the points at which a process may be killed.

Python's audit events name each `open`, `rename`, `link` and `remove` of this process, whichever code asks for
it: a write that is new in the engine is a new point here without a word.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

_WRITING = os.O_CREAT | os.O_WRONLY | os.O_RDWR
_DIGEST = re.compile(r"[0-9a-f]{8,}(?=[./]|$)")
STAGING = ".tmp"


def watch(root: Path, before: Callable[[int, str], None]) -> None:
    """From now on, and as long as this process lives, `before(number, write)` comes before each write.

    Args:
        root: the folder. Numbers count from 1; a write reads "put shards/000000.tar", "delete states/…".
    """
    folder, count = f"{root}/", 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        write = _write(event, arguments, folder)
        if write:
            count += 1
            before(count, write)

    sys.addaudithook(hook)


def _write(event: str, arguments: tuple[object, ...], folder: str) -> str:
    if event == "open":
        path, _, flags = arguments
        writes = isinstance(path, str) and isinstance(flags, int) and flags & _WRITING
        return f"begin {_shown(path, folder)}" if writes and _inside(path, folder) else ""
    if event in ("os.rename", "os.link"):
        verb = "put" if event == "os.rename" else "create"
        return f"{verb} {_shown(arguments[1], folder)}" if _inside(arguments[1], folder) else ""
    if event == "os.remove" and _inside(arguments[0], folder):
        return f"delete {_shown(arguments[0], folder)}"
    return ""


def _inside(path: object, folder: str) -> bool:
    return isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(folder)


def _shown(path: object, folder: str) -> str:
    """The name in the folder, digests as H."""
    assert isinstance(path, (str, os.PathLike))
    name = os.fspath(path)[len(folder) :]
    head, staged, _ = name.rpartition(f"{STAGING}/")
    return f"{head}{STAGING}" if staged else _DIGEST.sub("H", name)
