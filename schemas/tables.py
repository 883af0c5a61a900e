"""Explicit Parquet schemas of version 1: index.parquet and ledger.parquet."""

from __future__ import annotations

from io import BytesIO
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

TABLES_VERSION = "1"

_PER_MODALITY = pa.struct([("video", pa.string()), ("audio", pa.string()), ("image", pa.string())])
_STRINGS = pa.list_(pa.field("element", pa.string(), nullable=False))


def _versioned(fields: list[pa.Field]) -> pa.Schema:
    return pa.schema(fields, metadata={"favor-data.tables": TABLES_VERSION})


INDEX = _versioned(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("shard", pa.string(), nullable=False),  # "shards/000000.tar", relative to the corpus
        pa.field("offset", pa.int64(), nullable=False),  # of the sample's first tar header, in bytes
        pa.field("size", pa.int64(), nullable=False),  # up to the end of its last member's padding
        pa.field("sha256", pa.string(), nullable=False),  # of those bytes
        pa.field("content", pa.string(), nullable=False),  # digest of all that decided them
        pa.field("members", pa.string(), nullable=False),  # "clip.npy+60*jpg+whisper.npy": one kind a shard
        pa.field("steps", pa.int32(), nullable=False),
        pa.field("start_ns", pa.int64(), nullable=False),
        pa.field("end_ns", pa.int64(), nullable=False),
        pa.field("audio_steps", pa.int32(), nullable=False),  # steps that have sound
        pa.field("visual_steps", pa.int32(), nullable=False),  # steps that have a frame
        pa.field("conversations", pa.int32(), nullable=False),
        pa.field("modalities", _STRINGS, nullable=False),
        pa.field("uris", _PER_MODALITY, nullable=False),
        pa.field("digests", _PER_MODALITY, nullable=False),  # schemas.sample.Source.content
        pa.field("words", pa.int32()),  # spoken in the span; null where no transcript was asked for
        pa.field("language", pa.string()),  # of the file, as Whisper names it, "und": none heard
    ]
)


LEDGER = _versioned(
    [
        pa.field("input", pa.string(), nullable=False),  # a path, or "manifest.jsonl:12"
        pa.field("id", pa.string(), nullable=False),
        pa.field("uris", _STRINGS, nullable=False),
        pa.field("signature", pa.string(), nullable=False),  # schemas.manifest.InputRow
        pa.field("status", pa.string(), nullable=False),  # done | rejected
        pa.field("stage", pa.string()),  # schemas.reasons.Stage, null when done
        pa.field("reason", pa.string()),  # schemas.reasons.Reason, null when done
        pa.field("detail", pa.string()),  # for people
        pa.field("keys", _STRINGS, nullable=False),
    ]
)


def read_rows(stream: IO[bytes], schema: pa.Schema) -> list[dict[str, Any]]:
    """All rows of an index or a ledger. An older one lacks columns that came later: they are null.

    Raises:
        ValueError: not Parquet, or of another schema.
    """
    # Bytes, not the stream: Arrow's threads may hold a Python object past the interpreter's end, and abort.
    table = pq.read_table(pa.BufferReader(stream.read()))
    for field in schema:
        if field.nullable and field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    if table.schema != schema:
        raise ValueError("not a table of this version of favor-data")
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def table_bytes(rows: list[dict[str, Any]], schema: pa.Schema) -> bytes:
    """The Parquet file of the rows, in their order; the same rows give the same bytes."""
    buffer = BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), buffer, compression="zstd")
    return buffer.getvalue()
