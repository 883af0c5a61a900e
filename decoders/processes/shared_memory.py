"""Memory that a worker fills and its parent reads: decoded arrays change hands without being copied on.

The parent makes every block and gives it a worker by its descriptor; the worker can neither make files nor
change a block's size (a shorter one would kill the parent when it reads).
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import tempfile
import weakref

_MAP_FAILED = ctypes.c_void_p(-1).value

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


def create(size: int) -> int:
    """The descriptor of a new block of `size` zero bytes, which no file system shows.

    Raises:
        OSError: out of memory or descriptors.
    """
    if not hasattr(os, "memfd_create"):  # not Linux
        with tempfile.TemporaryFile() as file:
            file.truncate(size)
            return os.dup(file.fileno())
    block = os.memfd_create("decoded", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(block, size)
        fcntl.fcntl(block, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    except OSError:
        os.close(block)
        raise
    return block


def fill(block: int, data: bytes | memoryview) -> None:
    """Write all of a block."""
    with mmap.mmap(block, len(data)) as memory:
        memory[:] = data


def read(block: int, size: int) -> memoryview:
    """A block's bytes, read-only; given back to the system when the last view of them is gone.

    Not Python's `mmap`, which keeps a descriptor open for every mapping: decoding far ahead on many cores
    has more of them than a process may.

    Raises:
        OSError: out of memory.
    """
    address = _libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, block, 0)
    if address == _MAP_FAILED:
        raise OSError(ctypes.get_errno(), "mmap")
    memory = (ctypes.c_char * size).from_address(address)
    weakref.finalize(memory, _libc.munmap, address, size).atexit = False
    return memoryview(memory).cast("B").toreadonly()
