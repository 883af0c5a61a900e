"""Every place at which a system can fail a command: seen, and made to fail, before the system is asked.

Python's audit events name what a process asks of the system, whichever code asks; a hook that raises takes
the system's place. Calls that have no event get one here. A call that is new in the engine is a new place.
"""

from __future__ import annotations

import hashlib
import io
import os
import socket
import sys
import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

_WRITING = os.O_CREAT | os.O_WRONLY | os.O_RDWR
_CHANGES = {
    "os.rename": "put",
    "os.link": "create",
    "os.remove": "delete",
    "os.mkdir": "mkdir",
    "os.utime": "touch",
    "places.write": "write",
    "places.fsync": "sync",
}
_LOOKS = {"os.scandir": "list", "os.listdir": "list", "places.stat": "stat", "places.read": "read"}
_CALLS = {
    "places.memfd": "memfd",
    "places.map": "map",
    "places.fork": "fork",
    "places.encode": "encode",
    "socket.__new__": "socket",
    "places.socketpair": "socketpair",
    "subprocess.Popen": "start",
}
LOOKS = frozenset(_LOOKS.values()) | {"open"}
CHANGES = frozenset(_CHANGES.values()) | {"begin"}
CALLS = frozenset(_CALLS.values())
Place = tuple[str, str]  # a verb of these, and a path; no path of CALLS


def watch(at: Callable[[Place], None]) -> None:
    """From now on, and as long as this process lives, `at` comes before each place, from any thread; what it
    raises is what the system says."""
    _give_events()
    inside = threading.local()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if getattr(inside, "now", False):  # what `at` itself asks for
            return
        inside.now = True
        try:
            if place := _place(event, arguments):
                at(place)
        finally:
            inside.now = False

    sys.addaudithook(hook)


def _place(event: str, arguments: tuple[Any, ...]) -> Place | None:
    if verb := _CALLS.get(event):
        return verb, ""
    if event == "open":
        path, _, flags = arguments
        writes = isinstance(flags, int) and flags & _WRITING
        return ("begin" if writes else "open", path) if isinstance(path, str) else None
    verb = _CHANGES.get(event) or _LOOKS.get(event)
    if not verb:
        return None
    path = arguments[1] if verb in ("put", "create") else arguments[0]
    if isinstance(path, int):
        path = _path_of(path)
    return (verb, os.fspath(path)) if isinstance(path, (str, os.PathLike)) else None


def _path_of(descriptor: int) -> str:
    try:
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())
    except OSError:
        return ""


def _give_events() -> None:
    """To calls that have none."""
    from decoders.processes import shared_memory
    from decoders.processes.zygote import Zygote
    from featurizers.vision.encoder import VisionEncoder
    from storage import disk

    def give(holder: Any, name: str, event: str, *, first: bool = True) -> None:
        real = getattr(holder, name)

        @wraps(real)
        def call(*arguments: Any, **named: Any) -> Any:
            sys.audit(event, *(arguments[:1] if first else ()))
            return real(*arguments, **named)

        setattr(holder, name, call)

    give(os, "stat", "places.stat")
    give(os, "fsync", "places.fsync")
    give(os, "pread", "places.read")
    give(os, "memfd_create", "places.memfd", first=False)
    give(shared_memory, "read", "places.map", first=False)
    give(Zygote, "fork", "places.fork", first=False)
    give(VisionEncoder, "encode", "places.encode", first=False)
    give(socket, "socketpair", "places.socketpair", first=False)
    digest = hashlib.file_digest

    def file_digest(stream: Any, name: Any) -> Any:
        sys.audit("places.read", stream.name)
        return digest(stream, name)

    hashlib.file_digest = file_digest  # type: ignore[assignment]
    opened = disk._open_locked

    def open_locked(path: str) -> io.BufferedWriter:
        with opened(path) as stream:  # the lock is the copy's too
            return io.BufferedWriter(_Watched(os.dup(stream.fileno()), "wb"))

    disk._open_locked = open_locked


class _Watched(io.FileIO):
    def write(self, data: Any) -> int:
        sys.audit("places.write", self.fileno())
        return super().write(data) or 0


def below(path: str, folder: Path) -> bool:
    """Whether it is the folder or lies in it."""
    return path == str(folder) or path.startswith(f"{folder}/")
