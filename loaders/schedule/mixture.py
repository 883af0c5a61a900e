"""Several corpora, or filters of one, read in given proportions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from loaders.corpus import Corpus
from loaders.opening import CorpusError


@dataclass(frozen=True)
class Mixture:
    """Sources by name; each is read through in its own passes, however often that is in an epoch.

    Every epoch has the same number of items of each source: its share of `samples`, to the nearest item and
    at least one. A source goes on where the epoch before stopped: none of its samples comes twice before all
    of them came once.

    Args:
        weights: proportions, of any scale; None: by size.
        temperature: weights are size ** (1 / temperature): 1 is by size, large is all alike.
        samples: items in an epoch; None: as many as all sources have.

    Raises:
        CorpusError: no source, names that differ between sources and weights, weights out of range.
    """

    sources: Mapping[str, Corpus]
    weights: Mapping[str, float] | None = None
    temperature: float | None = None
    samples: int | None = None

    def __post_init__(self) -> None:
        if not self.sources:
            raise CorpusError("a mixture of nothing: give it at least one corpus")
        if self.weights is not None and self.temperature is not None:
            raise CorpusError("give a mixture weights or a temperature, not both")
        if self.temperature is not None and not self.temperature > 0:
            raise CorpusError(f"a temperature of {self.temperature}: it must be greater than 0")
        if self.weights is not None and set(self.weights) != set(self.sources):
            names = ", ".join(sorted(set(self.weights) ^ set(self.sources)))
            raise CorpusError(f"weights and sources must have the same names; only one has {names}")
        if self.weights is not None and not all(0 < w < float("inf") for w in self.weights.values()):
            raise CorpusError("a weight must be greater than 0: leave a source out instead")
        if self.samples is not None and self.samples < len(self.sources):
            raise CorpusError(f"an epoch of {self.samples} samples has not one of each source")

    def __len__(self) -> int:
        """Rows of all sources: what `Item.row` counts through."""
        return int(self.first_rows[-1])

    @cached_property
    def names(self) -> list[str]:
        return list(self.sources)

    @cached_property
    def corpora(self) -> list[Corpus]:
        return list(self.sources.values())

    @cached_property
    def first_rows(self) -> npt.NDArray[np.int64]:
        """int64 [sources + 1]: where each source's rows begin among all, and their end."""
        return np.cumsum([0, *(len(corpus) for corpus in self.corpora)], dtype=np.int64)

    @cached_property
    def steps(self) -> npt.NDArray[np.int64]:
        """int64 [rows]."""
        return np.concatenate([corpus.steps for corpus in self.corpora])

    @cached_property
    def conversations(self) -> npt.NDArray[np.int64]:
        """int64 [rows]: how many each sample has."""
        return np.concatenate([corpus.conversations for corpus in self.corpora])

    @cached_property
    def sizes(self) -> npt.NDArray[np.int64]:
        """int64 [rows], in bytes."""
        return np.concatenate([corpus.sizes for corpus in self.corpora])

    def counts(self, sizes: list[int]) -> list[int]:
        """Items of each source in an epoch, by largest remainder; `sizes`: items in a pass of each."""
        total = self.samples or sum(sizes)
        if self.weights is not None:
            weights = np.array([self.weights[name] for name in self.names], np.float64)
        else:
            weights = np.array(sizes, np.float64) ** (1 / (self.temperature or 1.0))
        exact = total * weights / weights.sum()
        counts = np.floor(exact).astype(np.int64)
        largest = np.argsort(counts - exact, kind="stable")[: total - counts.sum()]
        counts[largest] += 1
        at_least_one: list[int] = np.maximum(counts, 1).tolist()
        return at_least_one

    @cached_property
    def digest(self) -> str:
        """SHA-256, hex, of which samples these are; of one corpus its own."""
        if len(self.corpora) == 1 and self.names == [""]:
            return self.corpora[0].digest
        return hashlib.sha256(json.dumps([c.digest for c in self.corpora]).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """What a checkpoint keeps of the proportions."""
        weights = None if self.weights is None else [self.weights[name] for name in self.names]
        return {
            "sources": self.names,
            "weights": weights,
            "temperature": self.temperature,
            "samples": self.samples,
        }


def mixture_of(corpus: Corpus | Mixture) -> Mixture:
    """One corpus is a mixture of one."""
    return corpus if isinstance(corpus, Mixture) else Mixture({"": corpus})
