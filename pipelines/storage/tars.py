"""Archives of media: their members, without what they leave unsaid."""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from posixpath import dirname, normpath
from posixpath import join as below
from typing import IO, Any, NamedTuple

from storage import files

SCHEME = "tar://"
_LONGEST_HEADER = 8 << 20  # bytes of one extended header: real ones hold names
# What tarfile raises besides where a header's numbers are none, or headers stand on one another.
_ODD = (ValueError, OverflowError, LookupError, RecursionError)
_MOST_HOLES = 100  # times its tar
_TAR = re.compile(r"::(?=/|[a-zA-Z][-a-zA-Z0-9+.]*://)")


class TarMember(NamedTuple):
    """One file of a tar; as a uri `tar://MEMBER::TAR`, fsspec's notation."""

    name: str
    tar: str

    @property
    def uri(self) -> str:
        return f"{SCHEME}{self.name}::{self.tar}"

    @classmethod
    def parse(cls, uri: str) -> TarMember:
        """A tar has an absolute path or a uri, and either may hold `::` too."""
        named = uri.removeprefix(SCHEME)
        if begin := _TAR.search(named):
            return cls(named[: begin.start()], named[begin.end() :])
        name, _, tar = named.rpartition("::")
        return cls(name, tar)


class Extent(NamedTuple):
    """Where a member's content lies in its tar. That of a sparse one has holes, which tarfile fills: its
    `offset` is that of its header."""

    offset: int
    size: int
    sparse: bool = False


class Archive(NamedTuple):
    """Member -> its content, of those that are whole; `fault`: what is wrong with the rest, or nothing."""

    members: dict[str, Extent]
    fault: str = ""


@lru_cache(maxsize=16)
def read_archive(tar: str) -> Archive:
    """The members of a tar, read by their headers alone where the file can seek.

    A hard or symbolic link to a member is that member under another name; other links are left out. What
    comes after the first header that is none is lost: `fault` says so, as it does where the blocks of zeros
    are missing that end a tar: it may have been cut between two members.

    Raises:
        tarfile.TarError: not an uncompressed tar, from its first byte on.
        FileNotFoundError, PermissionError, StorageError: it cannot be read.
    """
    members: dict[str, Extent] = {}
    links: dict[str, str] = {}
    fault = ""
    with files.open_read(tar) as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        with _opened(_Headers(stream)) as archive:
            try:
                for member in _in_order(archive):
                    name = _name(member)
                    if member.islnk() or member.issym():
                        links[name] = _target(member)
                    elif member.isfile() and _is_whole(member, size):
                        begin = member.offset if member.issparse() else member.offset_data
                        members[name] = Extent(begin, member.size, member.issparse())
                    elif member.isfile():
                        fault = f"the content of {name} is not there"
                fault = fault or _at_end(stream, archive.offset)
            except tarfile.TarError as error:
                fault = fault or f"it cannot be read on: {error}"
            except _ODD:
                fault = fault or f"it cannot be read on: a damaged header at byte {archive.offset}"
    for name, target in links.items():
        if target in members:
            members.setdefault(name, members[target])
    return Archive(members, fault)


def _in_order(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """A header may say that its member has a size below zero: then they would come for ever."""
    end = -1
    while member := archive.next():
        if member.offset <= end or member.size < 0:
            raise tarfile.ReadError("a member of less than no bytes")
        end = member.offset
        archive.members.clear()  # type: ignore[attr-defined]  # it would keep every header
        yield member


def _at_end(stream: IO[bytes], offset: int) -> str:
    """What is wrong where tarfile found the end: it takes anything that is no header for that."""
    stream.seek(offset)
    block = stream.read(tarfile.BLOCKSIZE)
    if any(block):
        return f"it cannot be read on: no header at byte {offset}"
    return "" if len(block) == tarfile.BLOCKSIZE else "its end mark is missing: it may be cut short"


def _name(member: tarfile.TarInfo) -> str:
    """GNU tar stores a sparse member as `GNUSparseFile.PID/NAME`. Where that, too, stands in a PAX record (it
    is long, or no ASCII), tarfile takes whichever record comes last."""
    return member.pax_headers.get("GNU.sparse.name", member.name)


def _is_whole(member: tarfile.TarInfo, size: int) -> bool:
    if member.issparse():  # a hole may be claimed to be of any size
        parts: Any = member.sparse
        stored = sum(length for _, length in parts)
        return (
            member.size <= _MOST_HOLES * size
            and _in_turn(parts, member.size)
            and member.offset_data + stored <= size
        )
    return member.offset_data + member.size <= size


def _in_turn(parts: Sequence[tuple[int, int]], size: int) -> bool:
    """Whether (offset, size) follow one another: tarfile would look for ever for what lies in none."""
    end = 0
    for offset, length in parts:
        if length < 0 or (length and offset < end):
            return False
        end = offset + length if length else end
    return end <= size


def _target(member: tarfile.TarInfo) -> str:
    return member.linkname if member.islnk() else normpath(below(dirname(member.name), member.linkname))


def read_sparse(tar: str, extent: Extent) -> Iterator[bytes]:
    """The content of a sparse member, holes filled.

    Raises:
        tarfile.TarError, OSError, StorageError: it cannot be read.
    """
    with files.open_read(tar) as stream:
        stream.seek(extent.offset)
        with _opened(_Headers(stream)) as archive:
            try:
                member = next(_in_order(archive))
                content: IO[bytes] | None = archive.extractfile(member)
                while content and (part := content.read(1 << 20)):
                    yield part
            except (StopIteration, *_ODD) as error:
                raise tarfile.ReadError(f"a damaged header at byte {extent.offset}") from error


def _opened(stream: Any) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=stream, mode="r:")
    except _ODD as error:
        raise tarfile.ReadError(str(error)) from error


class _Headers:
    """A file of which no header makes tarfile read more than a header may hold."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._stream.read(size)
