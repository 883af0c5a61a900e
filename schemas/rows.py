"""The tables of format 2 (docs/format.md): rows as dicts, and the Parquet files of bounded parts of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.selection.signals import arrays, joined, type_of
from schemas.state import IndexPart

VERSION = "2"
Row = dict[str, Any]


def _listed(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("element", kind, nullable=False))


_STRINGS = _listed(pa.string())
_PER_MODALITY = pa.struct([("video", pa.string()), ("audio", pa.string()), ("image", pa.string())])
_EXTENT = [
    pa.field("shard", pa.string(), nullable=False),  # relative to the corpus
    pa.field("offset", pa.int64(), nullable=False),  # of the sample's first tar header, in bytes
    pa.field("size", pa.int64(), nullable=False),  # up to the end of its last member's padding
    pa.field("sha256", pa.string(), nullable=False),  # of those bytes
    pa.field("content", pa.string(), nullable=False),  # digest of all that decided them
]
_LAYER = pa.struct(
    [
        pa.field("column", pa.string(), nullable=False),  # the layer: a column, "words" …
        *_EXTENT,
    ]
)
_FEATURE = pa.struct(
    [
        pa.field("column", pa.string(), nullable=False),  # the member is KEY.COLUMN.npy
        pa.field("fingerprint", pa.string(), nullable=False),  # of its encoder, as corpus.json has it
        pa.field("dtype", pa.string(), nullable=False),  # as stored
        pa.field("shape", _listed(pa.int32()), nullable=False),  # whole
        pa.field("offset", pa.int64(), nullable=False),  # of its tar header, from its extent's first byte on
        pa.field("size", pa.int64(), nullable=False),  # with header and padding
    ]
)
_TURN = pa.struct(
    [
        pa.field("from", pa.string()),  # human | gpt
        pa.field("value", pa.string()),  # what is said
    ]
)


def _versioned(fields: list[pa.Field]) -> pa.Schema:
    return pa.schema(fields, metadata={"favor-data.tables": VERSION})


INDEX = _versioned(
    [
        pa.field("key", pa.string(), nullable=False),  # begins the names of its members
        pa.field("id", pa.string(), nullable=False),  # the manifest's, else the medium's name
        *_EXTENT,  # of the base
        pa.field("columns", _listed(_LAYER), nullable=False),  # what lies apart
        pa.field("features", _listed(_FEATURE), nullable=False),  # of every layer
        pa.field("members", pa.string(), nullable=False),  # of the base: one kind a shard
        pa.field("record", pa.int8(), nullable=False),  # version of KEY.json
        pa.field("head", pa.int32(), nullable=False),  # bytes of KEY.json, with header and padding
        pa.field("steps", pa.int32(), nullable=False),  # of 0.5 s
        pa.field("start_ns", pa.int64(), nullable=False),  # of the span, in the media's own time
        pa.field("end_ns", pa.int64(), nullable=False),  # likewise
        pa.field("audio_steps", pa.int32(), nullable=False),  # steps that have sound
        pa.field("visual_steps", pa.int32(), nullable=False),  # steps that have a frame
        pa.field("conversations", pa.int32(), nullable=False),  # how many
        pa.field("modalities", _STRINGS, nullable=False),  # of video, audio, image
        pa.field("uris", _PER_MODALITY, nullable=False),  # where its media lie
        pa.field("digests", _PER_MODALITY, nullable=False),  # SHA-256 of the files, "+2": as they are read
        pa.field("words", pa.int32()),  # spoken in the span; null where no transcript was asked for
        pa.field("language", pa.string()),  # of the file, as Whisper names it, "und": none heard
        pa.field("whisper_speech_share", pa.float64()),  # of the span, covered by its words
        pa.field("metadata", pa.string(), nullable=False),  # JSON: what all the sample's rows agree on
        # From the headers of the picture's file, or of the sound's where there is no picture; null where that
        # does not apply, or where an earlier version wrote the sample.
        pa.field("width", pa.int32()),  # as displayed
        pa.field("height", pa.int32()),  # likewise
        pa.field("fps", pa.float64()),  # frames by their stream's length
        pa.field("video_codec", pa.string()),  # as FFmpeg names it
        pa.field("audio_codec", pa.string()),  # likewise
        pa.field("bit_rate", pa.int64()),  # of the whole file, bits a second
        pa.field("start_offset_ms", pa.float64()),  # by how much sound begins after the pictures of its file
        pa.field("signals", pa.string()),  # JSON: name -> value; null where none were measured
    ]
)
TALKS = _versioned(
    [
        pa.field("key", pa.string(), nullable=False),  # of its sample
        pa.field("number", pa.int32()),  # its place among the sample's; null: the row has no conversation
        pa.field("id", pa.string(), nullable=False),  # of the manifest's row
        pa.field("input", pa.string(), nullable=False),  # as the ledger names it
        pa.field("turns", _listed(_TURN), nullable=False),  # in order
        pa.field("metadata", pa.string(), nullable=False),  # JSON: this row's own
    ]
)
_OUTCOME = pa.struct(
    [
        pa.field("start_ns", pa.int64()),  # of the span
        pa.field("end_ns", pa.int64()),  # likewise
        pa.field("key", pa.string()),  # null: the span gave no sample
        pa.field("stage", pa.string()),  # null where it gave one
        pa.field("reason", pa.string()),  # likewise
        pa.field("detail", pa.string()),  # likewise
    ]
)
_REMARK = pa.struct(
    [
        pa.field("remark", pa.string(), nullable=False),  # schemas.reasons.Remark
        pa.field("count", pa.int32(), nullable=False),  # how often in this input
    ]
)
LEDGER = _versioned(
    [
        pa.field("input", pa.string(), nullable=False),  # a path, or "manifest.jsonl:12"
        pa.field("id", pa.string(), nullable=False),  # the row's, else the medium's name
        pa.field("uris", _STRINGS, nullable=False),  # of its media
        pa.field("signature", pa.string(), nullable=False),  # schemas.manifest.InputRow
        pa.field("status", pa.string(), nullable=False),  # done | rejected | filtered | removed
        pa.field("stage", pa.string()),  # schemas.reasons.Stage, null when done
        pa.field("reason", pa.string()),  # schemas.reasons.Reason, null when done
        pa.field("detail", pa.string()),  # for people
        pa.field("keys", _STRINGS, nullable=False),  # of its samples
        pa.field("outcomes", _listed(_OUTCOME), nullable=False),  # of every span
        pa.field("remarks", _listed(_REMARK), nullable=False),  # what the decoder noticed
    ]
)

_KINDS = {"bool": pa.bool_(), "int64": pa.int64(), "double": pa.float64()}
_INT64 = 1 << 63


def metadata_column(name: str, signals: Collection[str] = ()) -> str:
    """A metadata name as a column of the index, which has columns of signals too."""
    return f"meta_{name}" if name in INDEX.names or name in signals else name


def kind_of(value: Any) -> str:
    """bool, int64, double, string or json: what column could hold a JSON value as it is."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int64" if -_INT64 <= value < _INT64 else "json"
    if isinstance(value, float):
        return "double"
    return "string" if isinstance(value, str) else "json"


def joined_kind(one: str, other: str) -> str:
    """What holds values of both kinds."""
    if one == other:
        return one
    return "double" if {one, other} == {"int64", "double"} else "json"


def metadata_kinds(rows: Iterable[Row]) -> dict[str, str]:
    """Name -> kind of the rows' metadata (dicts), by name; nulls are of every kind."""
    kinds: dict[str, str] = {}
    for row in rows:
        for name, value in json.loads(row["metadata"]).items():
            if value is not None:
                kind = kind_of(value)
                kinds[name] = joined_kind(kinds.get(name, kind), kind)
    return dict(sorted(kinds.items()))


@dataclass(frozen=True)
class Wide:
    """What the index's JSON texts become: name -> kind of the metadata, and of the signals."""

    metadata: Mapping[str, str]
    signals: Mapping[str, str]

    @classmethod
    def of(cls, parts: Iterable[IndexPart]) -> Self:
        """Over all rows of these parts."""
        metadata: dict[str, str] = {}
        signals: dict[str, str] = {}
        for part in parts:
            for name, kind in part.metadata.items():
                metadata[name] = joined_kind(metadata.get(name, kind), kind)
            for name, kind in part.signals.items():
                signals[name] = joined(signals.get(name, kind), kind)
        return cls(dict(sorted(metadata.items())), dict(sorted(signals.items())))

    @property
    def schema(self) -> pa.Schema:
        """Of the index with a column a name."""
        schema = INDEX
        for name, kind in self.metadata.items():
            kept = _KINDS.get(kind, pa.string())
            schema = schema.append(pa.field(metadata_column(name, self.signals), kept))
        for name, kind in self.signals.items():
            schema = schema.append(pa.field(name, type_of(kind)))
        return schema

    def widened(self, table: pa.Table) -> pa.Table:
        """A part's table with these columns."""
        for name, array in self._metadata(table["metadata"].to_pylist()).items():
            table = table.append_column(name, array)
        for name, array in arrays(table["signals"].to_pylist(), self.signals).items():
            table = table.append_column(name, array)
        return table

    def _metadata(self, texts: Sequence[str]) -> dict[str, pa.Array]:
        values = [json.loads(text) for text in texts] if self.metadata else []
        found: dict[str, pa.Array] = {}
        for name, kind in self.metadata.items():
            column = [row.get(name) for row in values]
            if kind in ("string", "json"):
                column = [_as_text(value, kind) for value in column]
            kept = _KINDS.get(kind, pa.string())
            found[metadata_column(name, self.signals)] = pa.array(column, kept)
        return found


def _as_text(value: Any, kind: str) -> str | None:
    if value is None:
        return None
    return str(value) if kind == "string" else canonical_text(value)


def canonical_text(value: Any) -> str:
    """JSON text, the same for the same value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def table_bytes(rows: Sequence[Row], schema: pa.Schema) -> bytes:
    """The Parquet file of the rows, in their order; the same rows give the same bytes."""
    buffer = BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), buffer, compression="zstd")
    return buffer.getvalue()


def read_table(content: bytes, schema: pa.Schema) -> pa.Table:
    """The columns of a schema out of a part's bytes; those of later versions are left, those that came later
    than the part are null.

    Raises:
        ValueError: not Parquet, or a column is missing.
    """
    # Bytes, not a stream: Arrow's threads may hold a Python object past the interpreter's end, and abort.
    there = pq.read_schema(pa.BufferReader(content)).names
    table = pq.read_table(pa.BufferReader(content), columns=[name for name in schema.names if name in there])
    for field in schema:
        if field.nullable and field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    missing = set(schema.names) - set(table.column_names)
    if missing:
        raise ValueError(f"no column {min(missing)}")
    return table.select(schema.names).cast(schema)


def read_rows(content: bytes, schema: pa.Schema) -> list[Row]:
    """All rows of a part; raises as `read_table` does."""
    rows: list[Row] = read_table(content, schema).to_pylist()
    return rows
