"""The faults, and at which places each can happen."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults.places import CALLS, CHANGES, LOOKS, Place, below


@dataclass
class Folders:
    """Of one command: the corpus, and what it reads."""

    output: Path
    media: Path


def system(number: int) -> Callable[[Folders], None]:
    """The system says so."""

    def strike(folders: Folders) -> None:
        raise OSError(number, os.strerror(number))

    return strike


def away(which: str) -> Callable[[Folders], None]:
    """The disk is not there any more; its place is."""

    def strike(folders: Folders) -> None:
        folder: Path = getattr(folders, which)
        if not (gone := folder.with_name(f"{folder.name}.away")).exists():
            folder.rename(gone)
            folder.mkdir()
            os.utime(folder, (0, 0))  # as old as the place of a mount

    return strike


def gpu(folders: Folders) -> None:
    """A GPU that is broken."""
    import torch

    raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")


def gpu_memory(folders: Folders) -> None:
    """A GPU whose memory somebody else has."""
    import torch

    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@dataclass(frozen=True)
class Kind:
    """A fault.

    Attributes:
        verbs: of the places where it can happen, and `inside` which folder.
        for_good: whether it can last; else it strikes once.
        begins: the first of its places, from 1: before the version of one file is known nobody can know that
            anything was there, and rows whose media are not found are the input's.
    """

    name: str
    strike: Callable[[Folders], None]
    verbs: frozenset[str]
    inside: str = ""
    for_good: tuple[bool, ...] = field(default=(False, True))
    begins: int = 1

    def can_happen(self, place: Place, folders: Folders) -> bool:
        """Whether it is such a place."""
        verb, path = place
        return verb in self.verbs and (not self.inside or below(path, getattr(folders, self.inside)))


KINDS = (
    Kind("disk full", system(errno.ENOSPC), CHANGES - {"delete", "touch"}, "output"),
    Kind("EIO, writing", system(errno.EIO), CHANGES, "output"),
    Kind("EIO, reading the corpus", system(errno.EIO), LOOKS, "output"),
    Kind("EIO, reading media", system(errno.EIO), LOOKS, "media"),
    Kind("the media's disk vanishes", away("media"), LOOKS, "media", (True,), begins=4),
    Kind("the corpus's disk vanishes", away("output"), LOOKS | CHANGES, "output", (True,)),
    Kind("no descriptors", system(errno.EMFILE), frozenset({"open", "begin", "list"}), "output"),
    Kind("no descriptors, media", system(errno.EMFILE), frozenset({"open", "list"}), "media"),
    Kind("no descriptors, sockets", system(errno.EMFILE), frozenset({"socket", "socketpair", "memfd"})),
    Kind("no processes", system(errno.EAGAIN), frozenset({"fork", "start"})),
    Kind("no memory", system(errno.ENOMEM), frozenset({"memfd", "map", "fork"})),
    Kind("CUDA, broken", gpu, frozenset({"encode"})),
    Kind("CUDA, out of memory", gpu_memory, frozenset({"encode"})),
)
assert all(kind.verbs <= LOOKS | CHANGES | CALLS for kind in KINDS)
