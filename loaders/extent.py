"""The bytes of one sample, as a range read brings them, cut into members and arrays without a copy."""

from __future__ import annotations

import math
from functools import lru_cache
from io import BytesIO
from struct import Struct
from typing import Any, Literal
from zlib import adler32

import numpy as np
import numpy.typing as npt

from loaders.storage import Bytes

_BLOCK = 512
_HEADER = Struct("100s 24x 12s 12x 8s c 100x 5s 83x 155s 12x")  # name, size, checksum, type, magic, prefix
_NO_MEMBER = "no tar member where the index says a sample begins"
_NPY = Struct("<6s B x I")  # magic, version, length of the header (of 16 bits in version 1)
_NPY_HEADER_LIMIT = 65536


class ExtentError(ValueError):
    """Bytes that are not the sample the index promises, or an array that is not plain numbers."""


def members(extent: Bytes) -> dict[str, memoryview]:
    """Name -> content (views of `extent`) of the files in a piece of a ustar tar.

    Raises:
        ExtentError: not whole tar members.
    """
    found = {}
    data, position, end = extent.data, 0, len(extent)
    while position < end:
        name, size = _header(data, position)
        start = position + _BLOCK
        if start + size > end:
            raise ExtentError(f"member {name!r} reaches past the sample's bytes")
        found[name] = data[start : start + size]
        position = start + size + (-size % _BLOCK)
    return found


def _header(data: memoryview, position: int) -> tuple[str, int]:
    if len(data) - position < _BLOCK:
        raise ExtentError(_NO_MEMBER)
    name, size, checksum, kind, magic, prefix = _HEADER.unpack_from(data, position)
    if magic != b"ustar" or kind not in b"0\0":
        raise ExtentError(_NO_MEMBER)
    # Adler-32's low half is 1 + the sum of the bytes, modulo 65521.
    total = (adler32(data[position : position + _BLOCK]) & 0xFFFF) - 1
    if (_sum(checksum) - total) % 65521:
        raise ExtentError("a tar header's checksum is wrong")
    # Members of 8 GiB and more have their size in base 256 (GNU, POSIX.1-2001).
    length = int.from_bytes(size[1:], "big") if size[0] & 0x80 else _octal(size)
    name = name.rstrip(b"\0")
    return (prefix.rstrip(b"\0") + b"/" + name if prefix[0] else name).decode(), length


@lru_cache(maxsize=1 << 14)
def _sum(checksum: bytes) -> int:
    """Of a header's bytes: its checksum counts itself as eight spaces."""
    return _octal(checksum) - 8 * 0x20 + sum(checksum)


@lru_cache(maxsize=1 << 14)
def _octal(digits: bytes) -> int:
    try:
        return int(digits.strip(b" \0"), 8)
    except ValueError as error:
        raise ExtentError(f"a tar header has {digits!r} for a number") from error


def array(content: memoryview) -> npt.NDArray[Any]:
    """A .npy member as an array that shares its bytes.

    Raises:
        ExtentError: not a .npy file, or one that holds a pickle.
    """
    if len(content) < _NPY.size:
        raise ExtentError("not a .npy file")
    magic, version, length = _NPY.unpack_from(content)
    if magic != b"\x93NUMPY":
        raise ExtentError("not a .npy file")
    begin = (length & 0xFFFF) + 10 if version == 1 else length + 12
    shape, order, dtype, size = _npy_header(bytes(content[: min(begin, _NPY_HEADER_LIMIT)]))
    if len(content) - begin < size:
        raise ExtentError("a .npy file is cut short")
    return np.ndarray(shape, dtype, content, begin, order=order)


@lru_cache(maxsize=1024)
def _npy_header(header: bytes) -> tuple[tuple[int, ...], Literal["C", "F"], np.dtype[Any], int]:
    """Shape, order, type, and bytes of the values."""
    stream = BytesIO(header)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, fortran, dtype = read(stream)
    except ValueError as error:
        raise ExtentError(f"not a .npy header: {error}") from error
    if dtype.hasobject:
        raise ExtentError("an array of Python objects: refused, it would have to be unpickled")
    return shape, "F" if fortran else "C", dtype, math.prod(shape) * dtype.itemsize
