"""From an epoch to a rank's batches, and what an interrupted epoch still owes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from loaders.opening import CorpusError
from loaders.schedule.batching import by_budget, by_count
from loaders.schedule.epochs import Epochs
from loaders.schedule.pairing import longest, modalities_of
from loaders.schedule.phase import Deal, Items, Phase, Purpose
from loaders.schedule.streams import Streams

# The index's table -> int64 [rows]
Cost = Callable[[pa.Table], npt.NDArray[np.int64]]


def steps_of(table: pa.Table) -> npt.NDArray[np.int64]:
    """A sample costs its steps of 0.5 s."""
    return np.asarray(table["steps"].to_numpy(), np.int64)


@dataclass(frozen=True)
class Schedule:
    """Args:
    cost: what a sample counts against a phase's budget.
    """

    epochs: Epochs
    cost: Cost = steps_of

    def steps(self, phases: Sequence[Phase], phase: Phase, epoch: int) -> int:
        """Of a whole epoch, the steps of its earlier phases included."""
        if not phases and not phase.budget and not phase.bucket_steps and not phase.one_modality:
            return _ceil(_ceil(len(self.epochs), phase.batch_size), phase.world_size)
        return sum(earlier.steps for earlier in phases) + self.deal(phases, phase, epoch).steps

    def deal(self, phases: Sequence[Phase], phase: Phase, epoch: int) -> Deal:
        """What `phases` have left of an epoch, dealt to the end of it."""
        asked = (tuple(phases), phase, epoch)
        if asked not in self._recent:
            while len(self._recent) > 1:
                del self._recent[next(iter(self._recent))]
            self._recent[asked] = self._dealt(phases, phase, epoch)
        return self._recent[asked]

    def _dealt(self, phases: Sequence[Phase], phase: Phase, epoch: int) -> Deal:
        items = self.epochs.items(epoch)
        for number, earlier in enumerate(phases):
            items = self._deal(items, earlier, epoch, number).rest(earlier.steps)
        return self._deal(items, phase, epoch, len(phases))

    def check(self, budget: int) -> None:
        """Raises:
        CorpusError: a sample costs more than the whole budget, or nothing.
        """
        dearest = int(self.costs.argmax())
        if self.costs[dearest] > budget:
            source = int(np.searchsorted(self.epochs.mixture.first_rows, dearest, side="right")) - 1
            corpus = self.epochs.mixture.corpora[source]
            key = corpus.key(dearest - int(self.epochs.mixture.first_rows[source]))
            raise CorpusError(
                f"sample {key} of {corpus.root} costs {self.costs[dearest]}, the budget is {budget}: "
                "raise it, or leave such samples out with where="
            )
        if self.costs.min() < 1:
            raise CorpusError("cost must give every sample at least 1")

    @cached_property
    def _recent(self) -> dict[tuple[tuple[Phase, ...], Phase, int], Deal]:
        """The last two: an epoch's, and the next one's, which the workers begin before it ends."""
        return {}

    @cached_property
    def costs(self) -> npt.NDArray[np.int64]:
        """int64 [rows]."""
        corpora = self.epochs.mixture.corpora
        return np.concatenate([np.asarray(self.cost(corpus.table), np.int64) for corpus in corpora])

    @cached_property
    def costs_digest(self) -> str:
        """SHA-256, hex."""
        return hashlib.sha256(self.costs.tobytes()).hexdigest()

    def _deal(self, items: Items, phase: Phase, epoch: int, number: int) -> Deal:
        epochs = self.epochs
        if epochs.in_blocks:
            return Streams(items, epochs.mixture.sizes, phase, epochs.seed, epochs.shuffle, epoch, number)
        kinds = modalities_of(items, epochs.modalities) if phase.one_modality else None
        if phase.budget:
            costs = longest(items, self.costs)
            random = np.random.default_rng([epochs.seed, epoch, Purpose.BATCHES, number])
            return by_budget(items, phase, costs, kinds, random if epochs.shuffle else None)
        steps = longest(items, epochs.mixture.steps) if phase.bucket_steps else None
        return by_count(items, phase, steps, kinds)


def _ceil(number: int, by: int) -> int:
    return -(-number // by)
