"""Rows of a manifest: what to make samples of. Every error names file, line and field."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from io import TextIOWrapper
from typing import IO, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from schemas.forms import embedded
from schemas.forms.conversations import FormError
from schemas.forms.rows import own_form
from schemas.forms.times import seconds_of
from schemas.media import Modality

_JSON_CELLS = ("conversations", "metadata")


class ManifestError(ValueError):
    """A manifest that cannot be read: `FILE:LINE: field: what is wrong`."""


class Turn(BaseModel):
    """One turn of a conversation, as LLaVA writes them."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    speaker: Literal["human", "gpt"] = Field(alias="from")
    value: str


class ManifestRow(BaseModel):
    """One row as a user writes it.

    `media` is a file taken for whatever it holds; `video`, `audio` and `image` name one modality each
    (`video` with a separate `audio`; `image` with a spoken `audio`). Times are seconds of the media's own
    time. Columns of other names are kept as metadata.
    """

    model_config = ConfigDict(extra="allow", strict=True)

    id: str | None = Field(default=None, min_length=1, max_length=4096)
    media: str | None = Field(default=None, min_length=1)
    video: str | None = Field(default=None, min_length=1)
    audio: str | None = Field(default=None, min_length=1)
    image: str | None = Field(default=None, min_length=1)
    start: Decimal | None = Field(default=None, ge=0, allow_inf_nan=False)
    end: Decimal | None = Field(default=None, gt=0, allow_inf_nan=False)
    conversations: list[list[Turn]] = Field(default_factory=list)
    metadata: dict[str, Any] = Field(default_factory=dict)

    @field_validator("id", mode="before")
    @classmethod
    def _numeric_id(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("start", "end", mode="before")
    @classmethod
    def _decimal(cls, value: object) -> object:
        """JSON and Parquet bring numbers, or text as annotations write times."""
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return Decimal(str(value))
        return seconds_of(value) if isinstance(value, str) else value

    @field_validator("conversations", mode="before")
    @classmethod
    def _one_conversation_is_a_list_of_one(cls, value: object) -> object:
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return [value]
        return value

    @model_validator(mode="after")
    def _names_media(self) -> ManifestRow:
        if self.media and (self.video or self.audio or self.image):
            raise ValueError("give either 'media' or 'video', 'audio', 'image'")
        if not (self.media or self.video or self.audio or self.image):
            raise ValueError("names no media: give 'media', 'video', 'audio' or 'image'")
        if self.video and self.image:
            raise ValueError("give 'video' or 'image', not both")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError(f"'end' {self.end} does not lie after 'start' {self.start}")
        if self.image and not self.audio and (self.start is not None or self.end is not None):
            raise ValueError("an image alone has no 'start' or 'end'")
        return self


@dataclass(frozen=True)
class InputRow:
    """One input of a build, as it travels through the job.

    Attributes:
        input: its name in the ledger: a path, or "manifest.jsonl:12"; one ledger row each.
        media: uri of the file taken for whatever it holds, or None.
        named: uri a modality that the row asks for by name.
        start_ns, end_ns: the annotated span; both None: cut by clip length.
        signature: digest of all that decides what becomes of it; a row whose signature the ledger
            already holds need not be looked at again.
        versions: of `uris`, when the inputs were listed, as fine as they can be told; of one that was not
            there, why not. Empty: unknown.
    """

    input: str
    id: str
    media: str | None = None
    named: Mapping[Modality, str] = field(default_factory=dict)
    start_ns: int | None = None
    end_ns: int | None = None
    conversations: tuple[tuple[Mapping[str, str], ...], ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    signature: str = ""
    versions: tuple[str, ...] = ()

    @property
    def annotated(self) -> bool:
        """An annotated row is never cut."""
        return bool(self.conversations) or self.start_ns is not None or self.end_ns is not None

    @property
    def uris(self) -> tuple[str, ...]:
        """The files to fetch, each once."""
        uris = [*([self.media] if self.media else []), *self.named.values()]
        return tuple(dict.fromkeys(uris))


def read_manifest(name: str, stream: IO[bytes]) -> Iterator[tuple[int, ManifestRow]]:
    """(line, row) of a .jsonl, .json, .csv or .parquet manifest; elsewhere than in .jsonl and .csv a
    line is the row's number from 1. Conversations may be in any form that `schemas.forms` knows.

    Raises:
        ManifestError: the first line that is not as it should be.
    """
    suffix = name.rpartition(".")[2].lower()
    rows = {"jsonl": _jsonl, "json": _json, "csv": _csv, "parquet": _parquet}[suffix](name, stream)
    for line, values in rows:
        yield line, manifest_row(f"{name}:{line}", values)


def manifest_row(place: str, values: Any) -> ManifestRow:
    """A row from what a file or a pipeline holds; `place` is for the message.

    Raises:
        ManifestError: not as a row should be.
    """
    try:
        return ManifestRow.model_validate(own_form(values))
    except FormError as error:
        raise ManifestError(f"{place}: {error}") from error
    except ValidationError as error:
        raise ManifestError(f"{place}: {first_fault(error)}") from error


def first_fault(error: ValidationError) -> str:
    """The first thing that is wrong with a row, with its field."""
    fault = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    return f"field '{place}': {message}" if place else message


def _jsonl(name: str, stream: IO[bytes]) -> Iterator[tuple[int, Any]]:
    for line, raw in enumerate(stream, start=1):
        if not raw.strip():
            continue
        try:
            yield line, json.loads(raw, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise ManifestError(f"{name}:{line}: not a JSON object: {error}") from error


def _json(name: str, stream: IO[bytes]) -> Iterator[tuple[int, Any]]:
    """A list of rows, as LLaVA and VideoChat keep theirs."""
    import ijson  # comes with [build]; readers of a corpus need no manifest

    line = 0
    try:
        for line, values in enumerate(ijson.items(stream, "item", use_float=True), start=1):
            yield line, values
    except (ijson.JSONError, UnicodeDecodeError) as error:
        fault = str(error).strip().partition("\n")[0]
        raise ManifestError(f"{name}:{line + 1}: not a JSON list of rows: {fault}") from error
    if not line:
        raise ManifestError(f"{name}: holds no rows: want a JSON list of objects")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _csv(name: str, stream: IO[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(TextIOWrapper(stream, encoding="utf-8-sig", newline=""), strict=True)
    try:
        for cells in reader:
            if None in cells or None in cells.values():
                raise ManifestError(
                    f"{name}:{reader.line_num}: the row has another number of cells than the header"
                )
            yield (
                reader.line_num,
                {
                    column: _csv_value(f"{name}:{reader.line_num}", column, cell)
                    for column, cell in cells.items()
                    if cell != ""
                },
            )
    except (csv.Error, UnicodeDecodeError) as error:
        raise ManifestError(f"{name}:{reader.line_num}: {error}") from error


def _csv_value(place: str, column: str, cell: str) -> Any:
    if column in ("start", "end"):
        try:
            return seconds_of(cell)
        except ValueError as error:
            raise ManifestError(f"{place}: field '{column}': {error}") from error
    if column in _JSON_CELLS:
        try:
            return json.loads(cell, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise ManifestError(f"{place}: field '{column}': not JSON: {error}") from error
    return cell


def _parquet(name: str, stream: IO[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        # Read by this thread alone: schemas.tables.read_rows says why.
        table = pq.ParquetFile(pa.PythonFile(stream, mode="r"), pre_buffer=False)
        yield from enumerate(embedded.rows(table, name), start=1)
    except (OSError, ValueError) as error:
        if isinstance(error, ManifestError):
            raise
        raise ManifestError(f"{name}: not a Parquet file that can be read: {error}") from error
