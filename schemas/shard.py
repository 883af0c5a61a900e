"""WebDataset shards: tars whose bytes depend on nothing but the samples in them."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any

import numpy as np
import numpy.typing as npt

BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True, slots=True)
class Extent:
    """Where one sample lies in its shard: one range read fetches all its members."""

    offset: int
    size: int
    sha256: str


class ShardWriter:
    """Writes samples, one after another, to a binary stream.

    No times, owners or names of machines enter the bytes. The caller closes the stream.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.position = 0

    def add(self, key: str, members: Iterable[tuple[str, bytes]]) -> Extent:
        """Appends the members `KEY.SUFFIX`, in the order given.

        Raises:
            ValueError: a key or suffix that could leave the folder, or that WebDataset would split wrongly.
        """
        if not key or set(key) & set("./\\\0") or key.startswith("-"):
            raise ValueError(f"key {key!r} must hold no dot, slash or leading dash")
        start, hasher = self.position, hashlib.sha256()
        for suffix, content in members:
            if not suffix or set(suffix) & set("/\\\0") or suffix.startswith("."):
                raise ValueError(f"member suffix {suffix!r} must hold no slash or leading dot")
            for part in _blocks(f"{key}.{suffix}", content):
                hasher.update(part)
                self._stream.write(part)
                self.position += len(part)
        return Extent(start, self.position - start, hasher.hexdigest())

    def add_extent(self, data: bytes) -> Extent:
        """Appends a sample as another shard holds it."""
        start = self.position
        self._stream.write(data)
        self.position += len(data)
        return Extent(start, len(data), hashlib.sha256(data).hexdigest())

    def finish(self) -> None:
        """Writes what ends a tar."""
        end = end_of_tar(self.position)
        self._stream.write(end)
        self.position += len(end)


def tar_bytes(content: int) -> int:
    """Bytes that a member of so many bytes takes in a tar."""
    return BLOCK + content + -content % BLOCK


def end_of_tar(position: int) -> bytes:
    """Two zero blocks, then zeros up to a whole record of 10 KiB."""
    return bytes(2 * BLOCK + -(position + 2 * BLOCK) % tarfile.RECORDSIZE)


def _blocks(name: str, content: bytes) -> Iterator[bytes]:
    header = tarfile.TarInfo(name)
    header.size = len(content)
    header.mode = 0o644
    yield header.tobuf(tarfile.USTAR_FORMAT)
    yield content
    yield bytes(-len(content) % BLOCK)


def read_extent(data: bytes) -> dict[str, bytes]:
    """Suffix -> content of the one sample whose bytes a range read brought.

    Raises:
        tarfile.TarError: not the bytes of an extent.
    """
    with tarfile.open(fileobj=BytesIO(data), mode="r:") as tar:
        members = {}
        for member in tar:
            stream = tar.extractfile(member)
            if stream is not None:
                members[member.name.partition(".")[2]] = stream.read()
        return members


def npy_bytes(array: npt.NDArray[Any]) -> bytes:
    """The .npy file of an array; never a pickle.

    Raises:
        ValueError: an array of objects.
    """
    buffer = BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def npy_array(content: bytes) -> npt.NDArray[Any]:
    """The array of a .npy file.

    Raises:
        ValueError: not a .npy file, or one that holds a pickle.
    """
    array: npt.NDArray[Any] = np.lib.format.read_array(BytesIO(content), allow_pickle=False)
    return array


def npy_shape(content: bytes) -> tuple[tuple[int, ...], str]:
    """Shape and dtype of an `npy_bytes`, the array itself left unread.

    Raises:
        ValueError: not such a file.
    """
    buffer = BytesIO(content)
    if np.lib.format.read_magic(buffer) != (1, 0):
        raise ValueError("not a .npy file of version 1.0")
    shape, _, dtype = np.lib.format.read_array_header_1_0(buffer)
    return shape, str(dtype)


def json_bytes(value: Any) -> bytes:
    """Readable and deterministic: sorted keys, UTF-8, a newline at the end."""
    return (json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()
