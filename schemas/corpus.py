"""corpus.json: what a corpus is, how it was made, and the snapshots it went through."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

CORPUS_VERSION = 1
INDEX_NAME = "index.parquet"
LEDGER_NAME = "ledger.parquet"
CORPUS_NAME = "corpus.json"
CACHE_NAME = "cache"


def shard_name(number: int) -> str:
    """Path of a shard inside the corpus."""
    return f"shards/{number:06d}.tar"


def snapshot_index_name(snapshot: str) -> str:
    """Path, inside the corpus, of the index a snapshot froze."""
    return f"snapshots/{snapshot}/{INDEX_NAME}"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Column(_Model):
    """A featurizer's output. `fingerprint` is what cache keys hold; `untrained`: random weights."""

    kind: str
    modality: str
    model: str
    untrained: bool
    fingerprint: str
    weights: str
    preprocessing: str
    dtype: str
    options: dict[str, Any]


class Counts(_Model):
    """Inputs add up: `inputs` = `done` + `rejected` + `filtered` + `removed`."""

    inputs: int
    done: int
    rejected: int
    rejected_by_reason: dict[str, int]
    samples: int
    steps: int
    shards: int
    bytes: int
    filtered: int = 0
    removed: int = 0
    conversations: int = 0
    remarks: dict[str, int] = Field(default_factory=dict)


class Snapshot(_Model):
    """One state of the corpus: `name` is its running number, `index_sha256` that of its index file."""

    name: str
    created: str
    samples: int
    index_sha256: str


class Corpus(_Model):
    """The whole file. `options` are the build's; `seconds` the media's length and the stages' time;
    `next_shard` the first shard number never used."""

    schema_version: int = CORPUS_VERSION
    options: dict[str, Any]
    columns: dict[str, Column]
    counts: Counts
    next_shard: int
    seconds: dict[str, float]
    libraries: dict[str, str]
    snapshots: list[Snapshot] = Field(default_factory=list)
