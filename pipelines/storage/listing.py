"""The files that a SOURCE names, finds or matches: what is hidden or the build's own is passed over."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

from pipelines.errors import UsageError
from pipelines.storage.walk import Apart, Found, is_hidden, walk
from schemas.forms.plain import is_whole
from storage import files

STANDARD_INPUT = "-"
_WILD = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


class SourceError(UsageError):
    """A SOURCE that cannot be used."""


class MissingSourceError(SourceError):
    """There is nothing."""


def find(source: str, own: Sequence[str]) -> Iterator[Found]:
    """What a SOURCE stands for, sorted.

    Args:
        own: folders that the build writes: nothing in them is an input.

    Raises:
        SourceError: it stands for nothing, or for what the build writes.
    """
    apart = Apart(own)
    if not files.is_local(source):
        yield from _remote(source, apart)
    elif Path(source).is_dir():
        yield from _folder(source, apart)
    elif glob.has_magic(source) and not Path(source).exists():
        yield from _pattern(source, apart)
    else:
        _refuse(source, apart)
        if not os.path.lexists(source):
            raise MissingSourceError(f"{source}: no such file or folder")
        yield Found(files.absolute(source), Path(source).name, named=True)


def local(uri: str) -> str:
    """A path of this machine without `file://` and its escapes, or `~/`; any other uri as it is."""
    if files.scheme(uri) == "file":
        path = files.local_path(uri).removeprefix("localhost")
        plain = unquote(path, errors="surrogateescape")
        return path if plain != path and Path(path).exists() else plain
    return str(Path.home()) + uri[1:] if uri == "~" or uri.startswith("~/") else uri


def spelled(source: str) -> str:
    """A SOURCE as another command, in another folder, names it: a path that is not UTF-8 with %-escapes."""
    if source == STANDARD_INPUT or not files.is_local(source):  # a remote folder ends in a slash
        return source
    path = files.absolute(local(source))
    return path if is_whole(path) else f"file://{quote(os.fsencode(path))}"


def place(uri: str) -> str:
    """A uri; of a web address what comes before its query."""
    return uri.partition("?")[0].partition("#")[0] if _is_web(uri) else uri


def _folder(folder: str, apart: Apart) -> Iterator[Found]:
    _refuse(folder, apart)
    found = False
    for each in walk(Path(files.absolute(folder)), apart):
        found = True
        yield each
    if not found:
        raise MissingSourceError(f"{folder} holds no files: name a folder with media in it")


def _refuse(source: str, apart: Apart) -> None:
    if apart.is_reached_by(source):
        raise SourceError(f"{source} lies in the folder that this build writes: give another --output")


def _pattern(pattern: str, apart: Apart) -> Iterator[Found]:
    wanted = files.absolute(pattern)
    top, below = _fixed_part(wanted)
    matches = _matcher(wanted)
    deepest = None if "**" in below else below.count("/")
    found = [each for each in walk(Path(top), apart, deepest) if matches.fullmatch(each.path)]
    if not found:
        raise MissingSourceError(
            f"{pattern} matches no file: check the pattern (quote it, so that the shell leaves it be)"
        )
    fixed = Path(os.path.commonpath([Path(each.path).parent for each in found]))
    for each in sorted(found):
        name = Path(each.path).relative_to(fixed).as_posix()
        yield Found(each.path, name, _says_its_kind(pattern), each.fault)


def _fixed_part(pattern: str) -> tuple[str, str]:
    """The folder that is searched, and the rest of the pattern."""
    folder = re.split(r"[*?[]", pattern)[0].rpartition("/")[0]
    return folder or "/", pattern[len(folder) + 1 :]


def _says_its_kind(pattern: str) -> bool:
    """`*.parquet`, but not `*`."""
    return not glob.has_magic(PurePosixPath(pattern).suffix or "*")


def _remote(source: str, apart: Apart) -> Iterator[Found]:
    """An object, a pattern, or a prefix that ends in `/`."""
    try:
        paths = _found(source)
    except (PermissionError, ValueError) as error:
        raise SourceError(f"{source} cannot be listed: {error}") from error
    prefix = place(source).rpartition("/")[0] + "/"
    searched = _fixed_part(source)[0] + "/"
    if paths != [source]:
        paths = [p for p in paths if not is_hidden(p.removeprefix(searched)) and not apart.holds(p)]
    if not paths:
        raise MissingSourceError(f"{source} matches nothing (a folder's address ends in /)")
    named = not source.endswith("/") and (paths == [source] or _says_its_kind(source))
    for path in paths:
        yield Found(path, place(path).removeprefix(prefix), named)


def _is_web(uri: str) -> bool:
    return files.scheme(uri) in ("http", "https")


def _found(source: str) -> list[str]:
    if source.endswith("/"):
        return list(files.listing(source))
    if _is_web(source) or not glob.has_magic(source) or files.exists(source):
        return [source] if files.exists(source) else []
    matches = _matcher(source)
    return [path for path in files.listing(_fixed_part(source)[0]) if matches.fullmatch(path)]


def _matcher(pattern: str) -> re.Pattern[str]:
    """`**/` is any number of folders, none among them."""
    parts = re.split(r"(\*\*/|\*\*|[*?]|\[[^]]+\])", pattern)
    return re.compile("".join(_WILD.get(part) or _literal_or_set(part) for part in parts), re.DOTALL)


def _literal_or_set(part: str) -> str:
    return part.replace("[!", "[^") if part.startswith("[") and part.endswith("]") else re.escape(part)
