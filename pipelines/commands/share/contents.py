"""What of a corpus is made public: its files, what they hold, whose names and licences stand in them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pipelines.states.commit import tables_of
from pipelines.states.parts import TALKS_OF, Parts
from pipelines.states.sweep import shards_of
from schemas.corpus import CORPUS_NAME, INDEX_NAME, LEDGER_NAME
from schemas.rows import Row
from schemas.state import BASE, CONVERSATIONS_NAME, State, layer_folder, state_name
from storage import files

CARD_NAME = "README.md"
TABLES_AT_THE_TOP = (INDEX_NAME, CONVERSATIONS_NAME, LEDGER_NAME)
NO_LICENCE = ""
_LICENCES = ("license", "licence")  # names of metadata, in any case


def published(output: str, state: State) -> tuple[list[str], list[str]]:
    """Names inside the corpus: its shards; then what makes a corpus of them, the card among it.

    Caches, notes of builds, kept states and other loaders' folders are no part of it.
    """
    shards = sorted(shards_of(output, state))
    told = [*sorted(tables_of(state)), *TABLES_AT_THE_TOP, CORPUS_NAME, CARD_NAME, state_name(state.state)]
    return shards, told


@dataclass
class Held:
    """What one column, or all shards of one layer, hold: samples, bytes with tar's headers.

    `dtype` and `shape`, of a column: "float16", (None, 49, 768), None where samples differ.
    """

    samples: int = 0
    bytes: int = 0
    dtype: str = ""
    shape: tuple[int | None, ...] = ()

    def add(self, size: int) -> None:
        self.samples += 1
        self.bytes += size

    def shaped(self, dtype: str, shape: list[int]) -> None:
        own = (None, *shape[1:])  # steps always differ
        same = self.shape or own
        self.dtype = dtype
        self.shape = tuple(a if a == b else None for a, b in zip(same, own, strict=False))


@dataclass
class Contents:
    """Of one state, gathered in one pass over its tables; raises StorageError.

    Attributes:
        layers, columns: name -> what it holds.
        licences: as the manifest's rows have them, NO_LICENCE where one has none -> rows.
        places: folder of the media, as KEY.json and the tables name it -> uris.
        example: one of those uris a folder.
        frames: most pictures that a sample can have kept.
    """

    output: str
    state: State
    layers: dict[str, Held] = field(default_factory=dict)
    columns: dict[str, Held] = field(default_factory=dict)
    licences: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    example: dict[str, str] = field(default_factory=dict)
    modalities: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    frames: int = 0

    @classmethod
    def of(cls, output: str, state: State) -> Self:
        found = cls(output, state)
        parts, seen = Parts(output), set[str]()
        for part in state.index:
            for row in parts.index(part):
                found._add(row, seen)
        return found

    @property
    def name(self) -> str:
        return files.split(self.output)[1] or "corpus"

    def _add(self, row: Row, seen: set[str]) -> None:
        self.layers.setdefault(BASE, Held()).add(row["size"])
        for layer in row["columns"]:
            if layer["size"]:
                self.layers.setdefault(layer["column"], Held()).add(layer["size"])
        for feature in row["features"]:
            held = self.columns.setdefault(feature["column"], Held())
            held.add(feature["size"])
            held.shaped(feature["dtype"], feature["shape"])
        self.licences.update(licence_of(json.loads(talk["metadata"])) for talk in row[TALKS_OF])
        self.modalities["+".join(row["modalities"])] += 1
        if row["language"] and row["language"] != "und":
            self.languages[row["language"]] += 1
        self.frames = max(self.frames, row["steps"] if row["visual_steps"] else 0)
        for uri in filter(None, row["uris"].values()):
            if uri not in seen:
                seen.add(uri)
                place = files.split(uri)[0]
                self.places[place] += 1
                self.example.setdefault(place, uri)

    def folder(self, layer: str) -> str:
        """ "shards", "columns/NAME"."""
        return layer_folder(layer)


def licence_of(metadata: Mapping[str, Any]) -> str:
    """What a row says of its own licence, as it says it; NO_LICENCE: nothing."""
    for name, value in metadata.items():
        if name.lower() in _LICENCES and value:
            return str(value)
    return NO_LICENCE
