"""What the user named on the command line -> one InputRow an input."""

from __future__ import annotations

import glob
import json
import os
import re
import tarfile
from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from pipelines.errors import StorageError, UsageError
from pipelines.storage.fetch import TarMember, tar_extents
from schemas.grid import seconds_to_ns
from schemas.manifest import InputRow, ManifestError, ManifestRow, read_manifest
from schemas.media import Modality
from storage import files
from storage.errors import reason, translated

MANIFESTS = (".jsonl", ".csv", ".parquet")
_WILD = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
_SIDECARS = (".json", ".txt")


class SourceError(UsageError):
    """A SOURCE that cannot be used."""


class MissingSourceError(SourceError):
    """There is nothing."""


def read_sources(sources: Sequence[str], output: str, known: Collection[str] = ()) -> Iterator[InputRow]:
    """Every input of every SOURCE, in order; what lies in `output` is not an input.

    Args:
        known: names of inputs that the corpus holds.

    Raises:
        SourceError, ManifestError: it cannot be used, or is not there.
        StorageError: a storage fails, or what the corpus holds is not there any more.
    """
    for source in map(_plain, sources):
        try:
            yield from _source(source, output)
        except MissingSourceError as error:
            if _is_known(source, known):
                raise StorageError(f"{error}, and the corpus holds of it: is its storage there?") from error
            raise


def _source(source: str, output: str) -> Iterator[InputRow]:
    if not files.is_local(source):
        yield from _remote(source)
        return
    with translated(source):
        folder, there = Path(source).is_dir(), Path(source).exists()
    if folder:
        yield from _folder(source, output)
    elif glob.has_magic(source) and not there:
        yield from _pattern(source)
    elif not there:
        raise MissingSourceError(f"{source}: no such file or folder")
    else:
        yield from _file(files.absolute(source), Path(source).name, named=True)


def _is_known(source: str, known: Collection[str]) -> bool:
    """Whether inputs of a SOURCE are among these: itself, what lies below it, in it, or fits it."""
    whole = files.absolute(source) if files.is_local(source) else source
    begins = (whole.rstrip("/") + "/", whole + ":")
    return any(
        name == whole or name.startswith(begins) or name.endswith("::" + whole) or fnmatch(name, whole)
        for name in known
    )


def _plain(uri: str) -> str:
    return files.local_path(uri) if files.is_local(uri) else uri


def _file(path: str, name: str, named: bool = False) -> Iterator[InputRow]:
    """A .json is a list of rows only where it is named itself: elsewhere it may be a sidecar."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in MANIFESTS or (suffix == ".json" and named):
        yield from _manifest(path)
    elif suffix == ".tar":
        yield from _tar(path, name)
    else:
        yield InputRow(input=path, id=name, media=path)


def _folder(folder: str, output: str) -> Iterator[InputRow]:
    """Every file below, tars opened; hidden folders and the output itself are passed over."""
    root, output_path = Path(files.absolute(folder)), Path(output)
    found = 0
    closed: list[OSError] = []
    for parent, folders, names in os.walk(root, onerror=closed.append):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and Path(parent, name) != output_path
        )
        for name in sorted(names):
            path = Path(parent, _utf8(name))
            relative = path.relative_to(root).as_posix()
            found += 1
            if path.suffix.lower() == ".tar":
                yield from _tar(str(path), relative)
            else:
                yield InputRow(input=str(path), id=relative, media=str(path))
    for error in closed:
        if not isinstance(error, PermissionError):
            raise StorageError(f"{error.filename}: {reason(error)}") from error
        yield InputRow(
            input=error.filename, id=error.filename, media=error.filename
        )  # for the probe to reject
    if not found:
        raise MissingSourceError(f"{folder} holds no files: name a folder with media in it")


def _utf8(name: str) -> str:
    """A name that is not UTF-8 cannot be written to a table: escaped, it is rejected as not found."""
    return name.encode("utf-8", "backslashreplace").decode()


def _pattern(pattern: str) -> Iterator[InputRow]:
    matches = glob.glob(pattern, recursive=True)  # noqa: PTH207 (Path.glob takes no absolute pattern)
    paths = sorted(path for path in matches if Path(path).is_file())
    if not paths:
        raise MissingSourceError(
            f"{pattern} matches no file: check the pattern (quote it, so that the shell leaves it be)"
        )
    fixed = Path(os.path.commonpath([Path(path).parent for path in paths]))
    for path in paths:
        yield from _file(files.absolute(path), Path(path).relative_to(fixed).as_posix())


def _remote(source: str) -> Iterator[InputRow]:
    """An object, a pattern, or a prefix that ends in `/`."""
    try:
        paths = _found(source)
    except (PermissionError, ValueError) as error:
        raise SourceError(f"{source} cannot be listed: {error}") from error
    if not paths:
        raise MissingSourceError(f"{source} matches nothing (a folder's address ends in /)")
    prefix = source if source.endswith("/") else source.rpartition("/")[0] + "/"
    for path in paths:
        yield from _file(path, path.removeprefix(prefix), named=path == source)


def _found(source: str) -> list[str]:
    if source.endswith("/"):
        return list(files.listing(source))
    if files.scheme(source) in ("http", "https") or not glob.has_magic(source) or files.exists(source):
        return [source] if files.exists(source) else []
    parts = re.split(r"(\*\*|[*?]|\[[^]]+\])", source)
    matches = re.compile("".join(_WILD.get(part) or _literal_or_set(part) for part in parts), re.DOTALL)
    return [path for path in files.listing(parts[0].rpartition("/")[0]) if matches.fullmatch(path)]


def _literal_or_set(part: str) -> str:
    return part.replace("[!", "[^") if part.startswith("[") and part.endswith("]") else re.escape(part)


def _manifest(path: str) -> Iterator[InputRow]:
    try:
        with files.open_read(path) as stream:
            for line, row in read_manifest(path, stream):
                yield input_row(f"{path}:{line}", files.split(path)[0], row)
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error}") from error


def input_row(name: str, folder: str, row: ManifestRow) -> InputRow:
    """A manifest's row under its name in the ledger; relative paths count from `folder`."""

    def uri(named: str) -> str:
        if not files.is_local(named):
            return named
        return files.absolute(files.join(folder, _plain(named)))

    named = {Modality.VIDEO: row.video, Modality.AUDIO: row.audio, Modality.IMAGE: row.image}
    first = row.media or row.video or row.image or row.audio or ""
    return InputRow(
        input=name,
        id=row.id or first,
        media=uri(row.media) if row.media else None,
        named={modality: uri(path) for modality, path in named.items() if path},
        start_ns=None if row.start is None else seconds_to_ns(row.start),
        end_ns=None if row.end is None else seconds_to_ns(row.end),
        conversations=tuple(
            tuple({"from": turn.speaker, "value": turn.value} for turn in conversation)
            for conversation in row.conversations
        ),
        metadata={**row.metadata, **(row.model_extra or {})},
    )


def _tar(path: str, name: str) -> Iterator[InputRow]:
    """Raw media as video2dataset writes it: `KEY.mp4` with `KEY.json` and `KEY.txt` beside it."""
    try:
        members = tar_extents(path)
    except (OSError, tarfile.TarError):
        yield InputRow(input=path, id=name, media=path)  # for the probe to reject
        return
    stem = PurePosixPath(name).with_suffix("").as_posix()
    with files.open_read(path) as stream:
        for member in sorted(members):
            if not member.endswith(_SIDECARS):
                uri = TarMember(member, path).uri
                metadata = _sidecars(stream, members, member.rpartition(".")[0])
                yield InputRow(input=uri, id=f"{stem}/{member}", media=uri, metadata=metadata)


def _sidecars(stream: Any, members: dict[str, tuple[int, int]], key: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for suffix in _SIDECARS:
        if key + suffix not in members:
            continue
        offset, size = members[key + suffix]
        stream.seek(offset)
        text = stream.read(size).decode(errors="replace")
        if suffix == ".txt":
            metadata["caption"] = text
            continue
        try:
            values = json.loads(text, parse_constant=lambda name: None)  # NaN is not JSON
        except (json.JSONDecodeError, RecursionError):
            values = text
        metadata |= values if isinstance(values, dict) else {"json": values}
    return metadata
