"""One build: everything the graph needs to know, decided before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from decoders.limits import Limits
from featurizers.featurizer import Featurizer
from pipelines.members import Members
from pipelines.products import Products
from pipelines.progress import Progress
from pipelines.storage.cache import Cache
from schemas.corpus import Column
from schemas.manifest import InputRow

STAGE_RAM = "12GB"  # weights of both encoders, frames decoded ahead, and one decoder a core


@dataclass(frozen=True)
class Facts:
    """What corpus.json says of a build before it has run."""

    created: str
    options: dict[str, Any]
    columns: dict[str, Column]
    libraries: dict[str, str]


@dataclass(frozen=True)
class Build:
    """Picklable; the parts of it that travel to workers are small.

    `rows` are the inputs to look at, which the job reads from the file `inputs`; `named` the names of all
    that the user gave.
    """

    rows: tuple[InputRow, ...]
    inputs: str
    named: frozenset[str]
    output: str
    cache: Cache
    featurizers: Mapping[str, Featurizer]
    products: Products
    clip_ns: int
    decoder: str
    shard_bytes: int
    limits: Limits
    progress: Progress
    facts: Facts
    accelerator: str | None = None

    @cached_property
    def members(self) -> Members:
        fingerprints = {name: column.fingerprint for name, column in self.facts.columns.items()}
        return Members(self.products, self.cache, fingerprints)

    @property
    def hints(self) -> dict[str, str]:
        """Resource hints of the one stage that decodes and encodes.

        Decoding and the encoders have the same ones: steps whose hints differ have environments of their
        own, runners do not fuse across those, and every frame would cross a shuffle.
        """
        return {"accelerator": self.accelerator, "min_ram": STAGE_RAM} if self.accelerator else {}
