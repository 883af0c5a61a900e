"""Manifests, named or found -> one InputRow a row."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from pipelines.errors import StorageError
from pipelines.storage.listing import local, place
from pipelines.storage.parquet_check import check_parquet
from pipelines.storage.walk import Found
from schemas.forms.plain import is_whole
from schemas.forms.readers import READERS
from schemas.grid import seconds_to_ns
from schemas.manifest import NO_MEDIA, InputRow, ManifestError, ManifestRow, RowError, manifest_rows
from schemas.media import Modality
from schemas.reasons import Reason
from storage import files

MANIFESTS = (".jsonl", ".csv", ".tsv", ".parquet")
_SHOWN = 20
_COLUMNS = ("media", "video", "audio", "image", "start", "end", "conversations", "metadata")
_ALIKE = 0.8  # difflib's ratio: `strat`, `conversation`, `medium` no more


def suffix_of(path: str) -> str:
    """In small letters."""
    return PurePosixPath(place(path)).suffix.lower()


def is_metadata(found: Found) -> bool:
    """Hugging Face's imagefolder, audiofolder and videofolder keep what is known of their files so."""
    return PurePosixPath(found.name).name.lower() in ("metadata.jsonl", "metadata.csv", "metadata.parquet")


class Manifests:
    """The manifests of one build, and what is wrong with their rows."""

    def __init__(self, skip_bad_rows: bool, say: Callable[[str], object]) -> None:
        self._skip = skip_bad_rows
        self._say = say
        self._faults: list[str] = []

    def read(self, found: Found) -> Iterator[InputRow]:
        """The rows of one file. A table that was found, not named, and whose first row names no media is an
        input that is none.

        Raises:
            ManifestError: it was named and cannot be read, or twenty rows are wrong.
        """
        try:
            with _opened(found) as stream:
                rows = manifest_rows(found.path, stream, _form(found))
                yield from self._rows(found.path, rows, files.split(place(found.path))[0], found)
        except ManifestError as error:
            if found.named:
                raise
            yield _no_manifest(found, str(error))

    def read_stream(self, name: str, stream: IO[bytes], folder: str) -> Iterator[InputRow]:
        """The rows of what is piped in: JSON objects, a line each, or files' names.

        Raises:
            ManifestError.
        """
        stream.seek(0)
        form = "jsonl" if stream.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else "txt"
        stream.seek(0)
        yield from self._rows(name, manifest_rows(name, stream, form), folder, None)

    def claims(self, found: Found) -> Iterator[str]:
        """The files that a `metadata` file speaks of: they are inputs by its rows alone."""
        try:
            with _opened(found) as stream:
                folder = files.split(found.path)[0]
                for _, row in manifest_rows(found.path, stream, _form(found)):
                    if isinstance(row, ManifestRow):
                        yield from input_row("", folder, row).uris
        except ManifestError:
            return

    def raise_for_rows(self) -> None:
        """Raises:
        ManifestError: rows were wrong; the first twenty.
        """
        if not self._faults:
            return
        how = "--skip-bad-rows puts such rows into the ledger and builds the others"
        if len(self._faults) == 1:
            raise ManifestError(f"{self._faults[0]} ({how})")
        number = len(self._faults)
        said = f"{number} rows are wrong" if number < _SHOWN else f"the first {number} rows that are wrong"
        raise ManifestError("\n  ".join([f"{said} ({how}):", *self._faults]))

    def _rows(
        self, name: str, rows: Iterator[tuple[int, ManifestRow | RowError]], folder: str, found: Found | None
    ) -> Iterator[InputRow]:
        columns: set[str] = set()
        first = True
        for line, row in rows:
            if isinstance(row, RowError):
                if first and found and not found.named and NO_MEDIA in str(row):
                    yield _no_manifest(found, str(row))
                    return
                yield from self._wrong(f"{name}:{line}", row)
            else:
                for column in (row.model_extra or {}).keys() - columns:
                    columns.add(column)
                    self._look_at(name, column, row)
                yield input_row(f"{name}:{line}", folder, row)
            first = False

    def _wrong(self, name: str, fault: RowError) -> Iterator[InputRow]:
        if self._skip:
            detail = str(fault).removeprefix(f"{name}: ")
            yield InputRow(input=name, id=name, refusal=(Reason.BAD_ROW, detail))
            return
        self._faults.append(str(fault))
        if len(self._faults) == _SHOWN:
            self.raise_for_rows()

    def _look_at(self, name: str, column: str, row: ManifestRow) -> None:
        if meant := _known_column(column, row):
            self._say(f"{name}: column {column!r} is kept as metadata; the one that is read is {meant!r}")


def _known_column(column: str, row: ManifestRow) -> str | None:
    """What a column that is not known may have been meant for."""
    missing = [name for name in _COLUMNS if name not in row.model_fields_set]
    near = difflib.get_close_matches(column.strip().lower(), missing, n=1, cutoff=_ALIKE)
    return near[0] if near else None


def _form(found: Found) -> str:
    suffix = suffix_of(found.path)[1:]
    return suffix if suffix in READERS else ""


def _no_manifest(found: Found, why: str) -> InputRow:
    why = why.removeprefix(found.path).lstrip(":0123456789 ")
    return InputRow(input=found.path, id=found.name, refusal=(Reason.NOT_MEDIA, f"{found.path}: {why}"))


@contextmanager
def _opened(found: Found) -> Iterator[IO[bytes]]:
    """A manifest's stream; a pipe would be waited for."""
    path = found.path
    if files.is_local(path) and os.path.lexists(path) and not Path(path).is_file():
        raise ManifestError(f"{path}: no regular file: give - as SOURCE and pipe the rows in")
    try:
        if _form(found) == "parquet":
            check_parquet(path)
        with files.open_read(path) as stream:
            yield stream
    except (OSError, StorageError) as error:
        raise ManifestError(f"{path}: cannot be read: {error}") from error


def input_row(name: str, folder: str, row: ManifestRow) -> InputRow:
    """A manifest's row under its name in the ledger; relative paths count from `folder`."""

    def uri(named: str) -> str:
        if not files.is_local(named):
            return named
        return files.absolute(files.join(folder, local(named)))

    media = uri(row.media) if row.media else None
    given = {Modality.VIDEO: row.video, Modality.AUDIO: row.audio, Modality.IMAGE: row.image}
    named = {modality: uri(path) for modality, path in given.items() if path}
    first = row.media or row.video or row.image or row.audio or ""
    for path in (media or "", *named.values()):
        if not is_whole(path):  # by file:// and its escapes, or the folder's own name
            shown = path.encode("utf-8", "backslashreplace").decode()
            refusal = (Reason.UNREADABLE, f"{shown}: its name is not UTF-8: rename it")
            return InputRow(input=name, id=row.id or first, refusal=refusal)
    return InputRow(
        input=name,
        id=row.id or first,
        media=media,
        named=named,
        start_ns=None if row.start is None else seconds_to_ns(row.start),
        end_ns=None if row.end is None else seconds_to_ns(row.end),
        conversations=tuple(
            tuple({"from": turn.speaker, "value": turn.value} for turn in conversation)
            for conversation in row.conversations
        ),
        metadata={**row.metadata, **(row.model_extra or {})},
        silent=row.audio is None and "audio" in row.model_fields_set,
    )
