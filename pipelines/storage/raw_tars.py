"""Tars of raw media as video2dataset writes them: `KEY.mp4` with `KEY.json` and `KEY.txt` beside it."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pipelines.errors import StorageError
from pipelines.storage import unpack
from pipelines.storage.tars import Archive, Extent, TarMember, read_archive, read_sparse
from pipelines.storage.walk import is_hidden
from schemas.forms.plain import from_json, is_whole, plain, whole
from schemas.manifest import InputRow
from schemas.media import Modality
from schemas.reasons import Reason
from storage import files

_SIDECARS = (".json", ".txt")
_LONGEST_SIDECAR = 64 << 20
_VIDEO = {".mp4", ".mkv", ".webm", ".mov", ".m4v", ".avi", ".ts", ".mpg", ".mpeg", ".flv", ".ogv"}
_AUDIO = {".m4a", ".wav", ".flac", ".mp3", ".aac", ".opus", ".oga", ".ogg", ".mka", ".wma"}


def tar_rows(path: str, name: str) -> Iterator[InputRow]:
    """An input a sample, and one more for what of the tar cannot be read."""
    if files.is_local(path) and not Path(path).is_file():
        yield InputRow(input=path, id=name, media=path)  # a pipe, or not there: for the probe to reject
        return
    try:
        tar = unpack.plain(path)
        archive = read_archive(tar)
    except tarfile.TarError as error:
        if unpack.is_compressed(path):
            yield _refused(path, name, Reason.UNREADABLE, str(error))
        else:
            yield InputRow(input=path, id=name, media=path)  # whatever it is: the probe knows
        return
    except (OSError, StorageError) as error:
        yield _refused(path, name, Reason.UNREADABLE, str(error))
        return
    rows = _rows(path, name, tar, archive)
    first = next(rows, None)
    if first:
        yield first
        yield from rows
    if archive.fault:
        yield _refused(path, name, Reason.CORRUPT, f"{archive.fault}; the members before that are taken")
    elif not first:
        yield _refused(path, name, Reason.EMPTY_FILE, "holds no media")


def _refused(path: str, name: str, reason: Reason, why: str) -> InputRow:
    detail = why if why.startswith(path) else f"{path}: {why}"
    return InputRow(input=path, id=name, refusal=(reason, whole(detail)))


def _rows(path: str, name: str, tar: str, archive: Archive) -> Iterator[InputRow]:
    stem = name[: -len(_suffix(name))]
    media = sorted(member for member in archive.members if not is_hidden(member) and not _is_sidecar(member))
    sound_of = _sound_beside(media)
    taken = set(sound_of.values())
    sidecars = _sidecars(archive.members)
    with files.open_read(tar) as stream:

        def sidecar(extent: Extent) -> bytes:
            if extent.sparse:  # GNU tar may make it so on a disk that compresses
                return b"".join(read_sparse(tar, extent))
            stream.seek(extent.offset)
            return stream.read(extent.size)

        for member in media:
            uri = TarMember(member, path).uri
            if not is_whole(member):
                shown = uri.encode("utf-8", "backslashreplace").decode()
                yield _refused(shown, shown, Reason.UNREADABLE, "its name is not UTF-8")
            elif member not in taken:
                row = InputRow(
                    input=uri,
                    id=f"{stem}/{member}",
                    media=uri,
                    metadata=_metadata(sidecar, sidecars, member.rpartition(".")[0]),
                )
                yield _with_sound(row, uri, sound_of[member], path) if member in sound_of else row


def _with_sound(row: InputRow, video: str, sound: str, path: str) -> InputRow:
    named = {Modality.VIDEO: video, Modality.AUDIO: TarMember(sound, path).uri}
    return InputRow(input=row.input, id=row.id, named=named, metadata=row.metadata)


def _suffix(name: str) -> str:
    packed = next((suffix for suffix in unpack.SUFFIXES if name.lower().endswith(suffix)), "")
    return name[-len(packed) :] if packed else PurePosixPath(name).suffix


def _is_sidecar(member: str) -> bool:
    return member.lower().endswith(_SIDECARS)


def _sound_beside(media: list[str]) -> dict[str, str]:
    """`KEY.mp4` -> `KEY.m4a`, where of either kind there is just one."""
    kinds: dict[str, tuple[list[str], list[str]]] = {}
    for member in media:
        key, suffix = member.rpartition(".")[0], PurePosixPath(member).suffix.lower()
        for number, known in enumerate((_VIDEO, _AUDIO)):
            if suffix in known:
                kinds.setdefault(key, ([], []))[number].append(member)
    return {
        videos[0]: sounds[0] for videos, sounds in kinds.values() if len(videos) == 1 and len(sounds) == 1
    }


def _sidecars(members: Mapping[str, Extent]) -> dict[tuple[str, str], Extent]:
    """(KEY, ".json" or ".txt") -> its content."""
    found = {}
    for member, extent in members.items():
        key, dot, suffix = member.rpartition(".")
        if _is_sidecar(member) and extent.size <= _LONGEST_SIDECAR:
            found[key, dot + suffix.lower()] = extent
    return found


def _metadata(
    content: Callable[[Extent], bytes], sidecars: Mapping[tuple[str, str], Extent], key: str
) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for suffix in _SIDECARS:
        if (key, suffix) not in sidecars:
            continue
        text = content(sidecars[key, suffix]).decode(errors="replace")
        metadata |= {"caption": text} if suffix == ".txt" else _values(text)
    return metadata


def _values(text: str) -> dict[str, Any]:
    """What is no JSON is kept as text."""
    try:
        values = plain(from_json(text.encode()))
    except ValueError:
        values = text
    return values if isinstance(values, dict) else {"json": values}
