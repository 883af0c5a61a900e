"""Rows of a manifest: what to make samples of. Every error names file, line and field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import IO, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from schemas.forms.errors import FormError, ManifestError, RowError
from schemas.forms.faults import first_fault
from schemas.forms.plain import plain, whole
from schemas.forms.readers import READERS
from schemas.forms.rows import own_form
from schemas.forms.times import seconds_of
from schemas.grid import seconds_to_ns
from schemas.media import Modality
from schemas.reasons import Reason

__all__ = [
    "NO_MEDIA", "InputRow", "ManifestError", "ManifestRow", "RowError", "Turn", "first_fault", "manifest_row",
    "manifest_rows", "read_manifest",
]  # fmt: skip
NO_MEDIA = "names no media"
_AS_GIVEN = ("id", "media", "video", "audio", "image", "start", "end")
_LATEST = Decimal(9_000_000_000)  # seconds: nanoseconds are 64-bit integers


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
    start: Decimal | None = Field(default=None, ge=0, le=_LATEST, allow_inf_nan=False)
    end: Decimal | None = Field(default=None, gt=0, le=_LATEST, allow_inf_nan=False)
    conversations: list[list[Turn]] = Field(default_factory=list)
    metadata: dict[str, Any] = Field(default_factory=dict)

    @field_validator("id", mode="before")
    @classmethod
    def _numeric_id(cls, value: object) -> object:
        if isinstance(value, str):
            return whole(value)
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("start", "end", mode="before")
    @classmethod
    def _decimal(cls, value: object) -> object:
        """JSON and Parquet bring numbers, or times as annotations write them."""
        return value if value is None else seconds_of(value)

    @field_validator("conversations", mode="before")
    @classmethod
    def _one_conversation_is_a_list_of_one(cls, value: object) -> object:
        """Fields that are null come from a Parquet file, whose turns all have the same ones."""
        if not isinstance(value, list):
            return [] if value is None else value
        talks = [value] if value and isinstance(value[0], dict) else value
        return [[_said(turn) for turn in talk] if isinstance(talk, list) else talk for talk in talks]

    @field_validator("metadata", mode="before")
    @classmethod
    def _none_is_empty(cls, value: object) -> object:
        return {} if value is None else value

    @model_validator(mode="after")
    def _names_media(self) -> ManifestRow:
        if self.media and (self.video or self.audio or self.image):
            raise ValueError("give either 'media' or 'video', 'audio', 'image'")
        if not (self.media or self.video or self.audio or self.image):
            raise ValueError(f"{NO_MEDIA}: give 'media', 'video', 'audio' or 'image'")
        if self.video and self.image:
            raise ValueError("give 'video' or 'image', not both")
        start = self.start or Decimal(0)
        if self.end is not None and seconds_to_ns(self.end) <= seconds_to_ns(start):
            by = " by a nanosecond" if self.end > start else ""
            raise ValueError(f"'end' {self.end} does not lie after 'start' {start}{by}")
        if self.image and not self.audio and (self.start is not None or self.end is not None):
            raise ValueError("an image alone has no 'start' or 'end'")
        return self


def _said(turn: Any) -> Any:
    if not isinstance(turn, dict):
        return turn
    return {name: value for name, value in turn.items() if value is not None}


@dataclass(frozen=True, slots=True)
class InputRow:
    """One input of a build, as it travels through the job.

    Attributes:
        input: its name in the ledger: a path, or "manifest.jsonl:12"; one ledger row each.
        media: uri of the file taken for whatever it holds, or None.
        named: uri a modality that the row asks for by name.
        start_ns, end_ns: the annotated span; both None: cut by clip length.
        silent: the sound of a video is not wanted.
        refusal: why it is no sample, known before any file is opened; it has no media then.
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
    silent: bool = False
    refusal: tuple[Reason, str] | None = None
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
    """(line, row) of a .jsonl, .json, .csv, .tsv, .txt or .parquet manifest, in any form that `schemas.forms`
    knows; in .json and .parquet a line is the row's number from 1.

    Raises:
        ManifestError: the first line that is not as it should be.
    """
    for line, row in manifest_rows(name, stream):
        if isinstance(row, RowError):
            raise row
        yield line, row


def manifest_rows(
    name: str, stream: IO[bytes], suffix: str = ""
) -> Iterator[tuple[int, ManifestRow | RowError]]:
    """The same, with the error of a row in the row's place.

    Args:
        suffix: what the file is, where its name does not say it.

    Raises:
        ManifestError: no row of it, or none from some row on, can be read; or it holds none.
    """
    read = READERS[suffix or name.rpartition(".")[2].lower()]
    line = 0
    for line, values in read(name, stream):
        try:
            row = values if isinstance(values, RowError) else manifest_row(f"{name}:{line}", values)
        except RowError as error:
            row = error
        yield line, row
    if not line:
        raise ManifestError(f"{name}: holds no rows")


def manifest_row(place: str, values: Any) -> ManifestRow:
    """A row from what a file or a pipeline holds; `place` is for the message.

    Raises:
        RowError: not as a row should be.
    """
    try:
        return ManifestRow.model_validate(own_form(_plain_but_times(values)))
    except FormError as error:
        raise RowError(f"{place}: {error}") from error
    except ValidationError as error:
        raise RowError(f"{place}: {first_fault(error)}") from error


def _plain_but_times(values: Any) -> Any:
    if not isinstance(values, Mapping):
        return values
    row: dict[str, Any] = {}
    for name, value in values.items():
        column = whole(str(name))
        try:
            row[column] = value if column in _AS_GIVEN else plain(value)
        except ValueError as error:
            raise FormError(f"field '{column}': {error}") from error
    return row
