"""What failed in a job, by its type, also where a runner's workers are other processes."""

from __future__ import annotations

import errno
import re

from featurizers.errors import ModelUnavailable
from pipelines.errors import StorageError
from pipelines.storage.cache import VanishedError
from schemas.reasons import MachineError

_KINDS = {
    f"{kind.__module__}.{kind.__qualname__}": kind
    for kind in (StorageError, VanishedError, MachineError, ModelUnavailable)
}
# What a system says of itself, at whatever it is asked, and of its disks.
_MACHINES = {errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_STORAGES = {
    errno.EDQUOT,
    errno.EIO,
    errno.ENODEV,
    errno.ENOSPC,
    errno.ENOTCONN,
    errno.EROFS,
    errno.ESTALE,
    errno.ETIMEDOUT,
}
_SYSTEMS = re.compile(r"(?:OSError|BlockingIOError|TimeoutError): \[Errno (\d+)\] (.*)")


def of(error: BaseException) -> Exception | None:
    """The fault that ended a job, as one line without the step that Beam adds; None: none that we know.

    Workers in other processes hand over Python's own account of an exception, at the end of which stands
    its type's full name, a colon and what it says.
    """
    kind = _KINDS.get(f"{type(error).__module__}.{type(error).__qualname__}")
    if kind is not None:
        return kind(_without_step(str(error)))
    if isinstance(error, OSError):
        return _of_the_system(error.errno, str(error).partition("] ")[2])
    for line in reversed(str(error).splitlines()):
        name, _, said = line.partition(": ")
        if name in _KINDS:
            return _KINDS[name](_without_step(said))
        if told := _SYSTEMS.fullmatch(line):
            return _of_the_system(int(told[1]), _without_step(told[2]))
    return None


def _of_the_system(number: int | None, said: str) -> Exception | None:
    if number in _MACHINES:
        return MachineError(said)
    return StorageError(said) if number in _STORAGES else None


def _without_step(text: str) -> str:
    return text.partition(" [while running")[0]
