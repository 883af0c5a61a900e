"""`states/NNNNNN.json`: what a corpus of format 2 is at one moment (docs/format.md)."""

from __future__ import annotations

import json
import re
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from schemas.corpus import Column

FORMAT = 2
STATES = "states"
TABLES = "tables"
KEPT = "kept"
BUILDS = "builds"
CLAIMS = "claims"
BASE = "base"
ANNOTATIONS = "annotations"
LOADERS = ("energon", "lhotse")  # folders that `favor-data index` makes for them
CONVERSATIONS_NAME = "conversations.parquet"
PART_ROWS = 50_000
_STATE = re.compile(r"(\d{6,})\.json")


class FormatError(ValueError):
    """A state that this version cannot read: one line that says why."""


def state_name(number: int) -> str:
    """Path of a state inside the corpus."""
    return f"{STATES}/{number:06d}.json"


def state_number(name: str) -> int | None:
    """The number of a file of `states/`; None: it is not a state."""
    match = _STATE.fullmatch(name.rpartition("/")[2])
    return int(match[1]) if match else None


def layer_folder(layer: str) -> str:
    """The folder of a layer's shards: `shards` for the base, `columns/NAME` for what lies apart."""
    return "shards" if layer == BASE else f"columns/{layer}"


def layer_shard(layer: str, stem: str) -> str:
    """Path of a layer's shard inside the corpus; the stem is its base shard's ("000003")."""
    return f"{layer_folder(layer)}/{stem}.tar"


def shard_number(shard: str) -> int:
    """4 of "shards/000004.tar" and of "shards/000004-5f1c2a9b.tar"."""
    return int(shard.removesuffix(".tar").rpartition("/")[2].partition("-")[0])


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)  # later versions may say more


class IndexPart(_Model):
    """Rows of the index and of the conversations of consecutive base shards.

    Attributes:
        table, talks: files of `tables/`.
        first, last: base shards.
        shards, bytes: of every layer.
        metadata: name of the rows' metadata -> kind of its values; `signals`: of their signals likewise.
    """

    table: str
    talks: str
    first: str
    last: str
    samples: int
    steps: int
    media_ns: int
    shards: int
    bytes: int
    conversations: int
    metadata: dict[str, str] = Field(default_factory=dict)
    signals: dict[str, str] = Field(default_factory=dict)


class LedgerPart(_Model):
    """Rows of the ledger of consecutive inputs, `first` to `last`."""

    table: str
    first: str
    last: str
    inputs: int
    statuses: dict[str, int]
    reasons: dict[str, int] = Field(default_factory=dict)
    remarks: dict[str, int] = Field(default_factory=dict)


class State(_Model):
    """One state of a corpus.

    Attributes:
        options: of the newest build.
        columns: the features' columns.
        layers: name -> products that lie in its shards; "base" is `shards/`, the others `columns/NAME/`.
        sources: whole names of all SOURCEs that builds were given.
        next_shard: the first number never claimed.
        tombstones: salted digests of inputs taken out for good.
    """

    format: int = FORMAT
    state: int
    options: dict[str, Any]
    columns: dict[str, Column]
    layers: dict[str, list[str]]
    sources: list[str] = Field(default_factory=list)
    next_shard: int
    index: list[IndexPart] = Field(default_factory=list)
    ledger: list[LedgerPart] = Field(default_factory=list)
    salt: str = ""
    tombstones: list[str] = Field(default_factory=list)

    @classmethod
    def read(cls, content: bytes, name: str) -> Self:
        """Raises:
        FormatError: not a state, or of a later format.
        """
        try:
            values = json.loads(content)
            found = values["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(f"{name} is no state of a corpus: {error}") from error
        if found != FORMAT:
            raise FormatError(
                f"{name} is of format {found}; this favor-data reads up to {FORMAT}: install a newer one"
            )
        try:
            return cls.model_validate(values)
        except ValueError as error:
            raise FormatError(f"{name}: {str(error).splitlines()[0]}") from error

    def to_bytes(self) -> bytes:
        """The file; the same state gives the same bytes."""
        return (json.dumps(self.model_dump(), sort_keys=True, indent=1) + "\n").encode()

    @property
    def counts(self) -> dict[str, Any]:
        """What corpus.json says of it: inputs by status, and what the shards hold."""
        statuses: dict[str, int] = {}
        reasons: dict[str, int] = {}
        remarks: dict[str, int] = {}
        for part in self.ledger:
            for total, found in ((statuses, part.statuses), (reasons, part.reasons), (remarks, part.remarks)):
                for name, count in found.items():
                    total[name] = total.get(name, 0) + count
        return {
            "inputs": sum(statuses.values()),
            **{status: statuses.get(status, 0) for status in ("done", "rejected", "filtered", "removed")},
            "rejected_by_reason": dict(sorted(reasons.items())),
            "remarks": dict(sorted(remarks.items())),
            "samples": sum(part.samples for part in self.index),
            "steps": sum(part.steps for part in self.index),
            "shards": sum(part.shards for part in self.index),
            "bytes": sum(part.bytes for part in self.index),
            "conversations": sum(part.conversations for part in self.index),
        }

    @property
    def media_seconds(self) -> float:
        return sum(part.media_ns for part in self.index) / 1e9
