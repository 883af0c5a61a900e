"""Explicit Parquet schemas of index.parquet and ledger.parquet."""

from __future__ import annotations

import pyarrow as pa

TABLES_VERSION = "1"

_PER_MODALITY = pa.struct([("video", pa.string()), ("audio", pa.string()), ("image", pa.string())])


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
        pa.field("steps", pa.int32(), nullable=False),
        pa.field("start_ns", pa.int64(), nullable=False),
        pa.field("end_ns", pa.int64(), nullable=False),
        pa.field("audio_steps", pa.int32(), nullable=False),  # steps that have sound
        pa.field("visual_steps", pa.int32(), nullable=False),  # steps that have a frame
        pa.field("conversations", pa.int32(), nullable=False),
        pa.field("modalities", pa.list_(pa.field("element", pa.string(), nullable=False)), nullable=False),
        pa.field("uris", _PER_MODALITY, nullable=False),
        pa.field("digests", _PER_MODALITY, nullable=False),
    ]
)

LEDGER = _versioned(
    [
        pa.field("input", pa.string(), nullable=False),  # a path, or "manifest.jsonl:12"
        pa.field("id", pa.string(), nullable=False),
        pa.field("uris", _PER_MODALITY, nullable=False),
        pa.field("status", pa.string(), nullable=False),  # done | rejected
        pa.field("stage", pa.string()),  # schemas.reasons.Stage, null when done
        pa.field("reason", pa.string()),  # schemas.reasons.Reason, null when done
        pa.field("detail", pa.string()),  # for people
        pa.field("keys", pa.list_(pa.field("element", pa.string(), nullable=False)), nullable=False),
    ]
)
