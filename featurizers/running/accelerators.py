"""Which of a machine's GPUs is this process's: every worker takes one of its own, without configuration."""

from __future__ import annotations

import fcntl
import functools
import os
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

_asking = threading.Lock()  # two threads that ask at once must not take two


def own() -> int:
    """torch's number of the GPU that this process encodes on, until it ends."""
    with _asking:
        return _own()


@functools.cache
def _own() -> int:
    import torch

    count = torch.cuda.device_count()
    if count < 2:
        return 0
    # By UUID: CUDA_VISIBLE_DEVICES may give workers different numbers for one GPU.
    uuids = [str(torch.cuda.get_device_properties(index).uuid) for index in range(count)]
    return claim(uuids, Path(tempfile.gettempdir()))


def claim(names: Sequence[str], folder: Path) -> int:
    """Which of `names` is this process's: the first that no other process has, or else one to share.

    A lock on a file in `folder` says that it is taken; the system lets go of it when the process ends.
    """
    for index, name in enumerate(names):
        path = folder / f"favor-data-{os.getuid()}-{name}.lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            return index  # the descriptor stays open, and with it the lock
    return os.getpid() % len(names)
