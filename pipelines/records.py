"""The small records that travel between the job's steps."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.cuts import Places
from schemas.digest import canonical_json, digest
from schemas.grid import Span
from schemas.media import MediaInfo, Modality
from schemas.reasons import Reason, Stage
from schemas.rows import Row
from schemas.sample import Source, questions_of


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an input, or a part of it, gave no sample."""

    stage: Stage
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Probed:
    """One file, read once: its bytes' digest, what it holds, and its size in bytes (0: not known).

    `places`: where it may be cut; None: nobody looked, or there is nothing in it to cut by.
    """

    sha256: str
    info: MediaInfo
    size: int = 0
    places: Places | None = None


@dataclass(frozen=True, slots=True)
class RowSays:
    """What one row of a manifest says of a sample: its annotations."""

    input: str
    id: str
    conversations: tuple[tuple[Mapping[str, str], ...], ...]
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlannedSample:
    """One sample to be: everything but its features.

    `media` holds what the files do hold: a video with sound appears under both modalities. `rows`, sorted,
    are those that share media and span; `sound_ns` is how long the file of its sound is; `headers`: values in
    the order of pipelines.facts.headers.HEADERS.
    """

    key: str
    id: str
    span: Span
    media: Mapping[Modality, Source]
    rows: tuple[RowSays, ...]
    sound_ns: int = 0
    headers: tuple[Any, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(sorted({row.input for row in self.rows}))

    @property
    def conversations(self) -> list[tuple[Mapping[str, str], ...]]:
        """Each once: a row given twice says nothing new."""
        distinct = {canonical_json(talk): talk for row in self.rows for talk in row.conversations}
        return list(distinct.values())

    @property
    def questions(self) -> tuple[str, ...]:
        """As a prompted column's rows are ordered."""
        return questions_of(self.conversations)

    @property
    def metadata(self) -> dict[str, Any]:
        """What all rows agree on."""
        first, *others = [row.metadata for row in self.rows]
        return {
            name: value
            for name, value in first.items()
            if all(name in metadata and metadata[name] == value for metadata in others)
        }

    def annotations(self) -> dict[str, str]:
        """`KEY.annotations.json`: two JSON texts, so that every reader sees one type a field."""
        talks = [[dict(turn) for turn in talk] for talk in self.conversations]
        return {"conversations": _text(talks), "metadata": _text(self.metadata)}

    def talks(self) -> list[Row]:
        """Its rows of the conversations' table."""
        numbers = {canonical_json(talk): number for number, talk in enumerate(self.conversations)}
        return [
            {
                "key": self.key,
                "number": None if talk is None else numbers[canonical_json(talk)],
                "id": row.id,
                "input": row.input,
                "turns": [dict(turn) for turn in talk or ()],
                "metadata": _text(row.metadata),
            }
            for row in self.rows
            for talk in (row.conversations or (None,))
        ]

    def content_of_version_1(self, products: list[str]) -> str:
        """SHA-256, hex, of all that decided the sample's bytes where conversations lay in KEY.json."""
        return digest(
            {
                "key": self.key,
                "id": self.id,
                "span": [self.span.start_ns, self.span.end_ns],
                "media": {str(m): [source.uri, source.content] for m, source in self.media.items()},
                "conversations": self.conversations,
                "metadata": self._metadata_of_version_1(),
                "products": products,
            }
        )

    def _metadata_of_version_1(self) -> dict[str, Any]:
        distinct = {canonical_json([row.id, row.metadata]): row for row in self.rows}
        if len(distinct) == 1:
            return dict(self.rows[0].metadata)
        agreed = {
            name: value
            for name, value in self.rows[0].metadata.items()
            if all(row.metadata.get(name) == value for row in self.rows)
        }
        return agreed | {"rows": [{"id": row.id, **row.metadata} for row in distinct.values()]}


def rows_said(talks: Iterable[Row]) -> tuple[RowSays, ...]:
    """Inverse of `PlannedSample.talks`, of one sample."""
    said: dict[tuple[str, str, str], list[Any]] = {}
    for talk in talks:
        turns = said.setdefault((talk["input"], talk["id"], talk["metadata"]), [])
        if talk["number"] is not None:
            turns.append(tuple(dict(turn) for turn in talk["turns"]))
    return tuple(
        RowSays(name, row_id, tuple(turns), json.loads(metadata))
        for (name, row_id, metadata), turns in said.items()
    )


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Place:
    """The bytes of one sample in a shard of the corpus."""

    shard: str
    offset: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Lying:
    """A product that a shard holds already: where, as which members, and about how many bytes of it.

    `group`: as pipelines.products.Product has it, by the name that the column had. A placement lies in
    KEY.json; `empty`: it has no step of its stream.
    """

    place: Place
    group: str
    size: int
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Fresh:
    """A sample of which something is to be written.

    Attributes:
        row: its index row where the corpus has it with the same media.
        layers: what of it is to be made; the rest stands in the row's shards.
        lying: cache key -> where the corpus holds that product.
        replaces: the key that it had until now, where the row that gave it leaves.
    """

    sample: PlannedSample
    layers: frozenset[str]
    row: Row | None = None
    lying: Mapping[str, Lying] = field(default_factory=dict)
    replaces: str = ""


@dataclass(frozen=True, slots=True)
class SampleOutcome:
    """What became of one span of an input; `rejection` None: it is in the corpus."""

    key: str
    start_ns: int
    end_ns: int
    rejection: Rejection | None = None
    remarks: tuple[str, ...] = ()
    replaces: str = ""


@dataclass(frozen=True, slots=True)
class InputOutcome:
    """What became of one input, or of a part of it: samples written, or why not."""

    samples: tuple[SampleOutcome, ...] = field(default=())
    rejection: Rejection | None = None


AccountOfInput = tuple[str, InputOutcome]  # by the input's name
