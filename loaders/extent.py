"""The bytes of one sample, as a range read brings them, cut into members and arrays without a copy."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from loaders.storage import Bytes

_BLOCK = 512
_NPY_HEADER_LIMIT = 65536


class ExtentError(ValueError):
    """Bytes that are not the sample the index promises, or an array that is not plain numbers."""


def members(extent: Bytes) -> dict[str, Bytes]:
    """Name -> content (views of `extent`) of the files in a piece of a ustar tar.

    Raises:
        ExtentError: not whole tar members.
    """
    found = {}
    position = 0
    while position < len(extent):
        header = extent[position : position + _BLOCK].tobytes()
        name, size = _header(header)
        start = position + _BLOCK
        if start + size > len(extent):
            raise ExtentError(f"member {name!r} reaches past the sample's bytes")
        found[name] = extent[start : start + size]
        position = start + size + (-size % _BLOCK)
    return found


def _header(header: bytes) -> tuple[str, int]:
    if len(header) < _BLOCK or header[257:262] != b"ustar" or header[156:157] not in (b"0", b"\0"):
        raise ExtentError("no tar member where the index says a sample begins")
    stored = header[148:156].strip(b" \0")
    if not stored or int(stored, 8) != sum(header) - sum(header[148:156]) + 8 * 0x20:
        raise ExtentError("a tar header's checksum is wrong")
    prefix, name = header[345:500].rstrip(b"\0"), header[:100].rstrip(b"\0")
    size = header[124:136]
    # Members of 8 GiB and more have their size in base 256 (GNU, POSIX.1-2001).
    length = int.from_bytes(size[1:], "big") if size[0] & 0x80 else int(size.strip(b" \0"), 8)
    return (prefix + b"/" + name if prefix else name).decode(), length


def array(content: Bytes) -> npt.NDArray[Any]:
    """A .npy member as an array that shares its bytes.

    Raises:
        ExtentError: not a .npy file, or one that holds a pickle.
    """
    if content[:6].tobytes() != b"\x93NUMPY":
        raise ExtentError("not a .npy file")
    length = int.from_bytes(content[8:10].tobytes(), "little") + 10
    if content[6] != 1:
        length = int.from_bytes(content[8:12].tobytes(), "little") + 12
    shape, fortran, dtype = _npy_header(content[: min(length, _NPY_HEADER_LIMIT)].tobytes())
    values = content[length:]
    count = int(np.prod(shape, dtype=np.int64))
    if values.nbytes < count * dtype.itemsize:
        raise ExtentError("a .npy file is cut short")
    flat = np.frombuffer(values, dtype=dtype, count=count)
    return flat.reshape(shape, order="F" if fortran else "C")


@lru_cache(maxsize=1024)
def _npy_header(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    stream = BytesIO(header)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, fortran, dtype = read(stream)
    except ValueError as error:
        raise ExtentError(f"not a .npy header: {error}") from error
    if dtype.hasobject:
        raise ExtentError("an array of Python objects: refused, it would have to be unpickled")
    return shape, fortran, dtype
