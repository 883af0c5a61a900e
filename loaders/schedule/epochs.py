"""What is read in each epoch, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from loaders.corpus import Corpus
from loaders.schedule.mixture import Mixture
from loaders.schedule.modalities import Modalities
from loaders.schedule.pairing import Pairer, Pairing
from loaders.schedule.phase import Conversations, Items, Purpose, Rows

BLOCK_BYTES = 32 << 20


@dataclass(frozen=True)
class Epochs:
    """The items of a mixture's epochs.

    Args:
        in_blocks: neighbours in a shard stay together: runs of about `block_bytes` come in random order.

    Raises:
        CorpusError: a pairing that the mixture cannot have.
    """

    mixture: Mixture
    seed: int = 0
    shuffle: bool = True
    conversations: Conversations = "draw"
    pairing: Pairing | None = None
    in_blocks: bool = False
    block_bytes: int = BLOCK_BYTES

    def __post_init__(self) -> None:
        _ = self._pairer  # what cannot be paired is said now

    @cached_property
    def modalities(self) -> Modalities:
        return Modalities(self.mixture)

    @cached_property
    def counts(self) -> list[int]:
        """Items of each source in an epoch."""
        return self.mixture.counts([self._pass_size(corpus) for corpus in self.mixture.corpora])

    def __len__(self) -> int:
        """Items in an epoch."""
        return sum(self.counts)

    def items(self, epoch: int) -> Items:
        parts = [self._of_source(source, epoch) for source in range(len(self.counts))]
        if len(parts) == 1:
            return parts[0]
        items = np.concatenate(parts)
        random = np.random.default_rng([self.seed, epoch, Purpose.MIX])
        if self.shuffle and not self.in_blocks:
            return items[random.permutation(len(items))]
        # Evenly spread, each source in its own order.
        places = [
            (np.arange(count) + (random.random() if self.shuffle else 0.5)) / count for count in self.counts
        ]
        return items[np.argsort(np.concatenate(places), kind="stable")]

    def _of_source(self, source: int, epoch: int) -> Items:
        """What an epoch takes of a source's endless passes."""
        count, size = self.counts[source], self._pass_size(self.mixture.corpora[source])
        first, last = epoch * count, (epoch + 1) * count
        parts = []
        for number in range(first // size, -(-last // size)):
            start = number * size
            parts.append(self._pass(source, number)[max(first - start, 0) : last - start])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _pass(self, source: int, number: int) -> Items:
        """All items of a source once. Draws go by row, not by place in the order, so that they are the same
        in blocks or not."""
        corpus = self.mixture.corpora[source]
        items = with_conversations(corpus, self.conversations, self.seed, number, source)
        items[:, 0] += self.mixture.first_rows[source]
        if self._pairer:
            items = self._pairer.pair(items, self._random(Purpose.PAIRING, source, number))
        if self.in_blocks:
            return items[self._block_order(source, number)]
        if self.shuffle:
            return items[self._random(Purpose.ORDER, source, number).permutation(len(items))]
        return items

    def _block_order(self, source: int, number: int) -> Rows:
        """Places among the items of a pass."""
        corpus, blocks = self.mixture.corpora[source], self._blocks[source]
        if self.shuffle:
            order = self._random(Purpose.ORDER, source, number).permutation(len(blocks))
            blocks = [blocks[place] for place in order]
        rows = np.concatenate(blocks)
        if self.conversations == "draw":
            return rows
        repeats = np.maximum(corpus.conversations, 1)
        ends = np.cumsum(repeats)
        return _ranges(ends[rows] - repeats[rows], repeats[rows])

    @cached_property
    def _blocks(self) -> list[list[Rows]]:
        return [_blocks(corpus, self.block_bytes) for corpus in self.mixture.corpora]

    @cached_property
    def _pairer(self) -> Pairer | None:
        return Pairer(self.pairing, self.modalities) if self.pairing else None

    def _pass_size(self, corpus: Corpus) -> int:
        if self.conversations == "draw":
            return len(corpus)
        return int(np.maximum(corpus.conversations, 1).sum())

    def _random(self, purpose: Purpose, source: int, number: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, number, purpose, source])


def with_conversations(
    corpus: Corpus, conversations: Conversations, seed: int, number: int, source: int = 0
) -> Items:
    """In the index's order: an item a row with a conversation drawn at random, or one a conversation."""
    counts = corpus.conversations
    rows = np.arange(len(counts), dtype=np.int64)
    if conversations == "draw":
        drawn = np.random.default_rng([seed, number, Purpose.DRAW, source]).random(len(counts))
        return np.stack([rows, np.where(counts > 0, (drawn * counts).astype(np.int64), -1)], axis=1)
    repeats = np.maximum(counts, 1)
    numbers = _ranges(np.zeros_like(repeats), repeats)
    numbers[np.repeat(counts == 0, repeats)] = -1
    return np.stack([np.repeat(rows, repeats), numbers], axis=1)


def _ranges(starts: Rows, lengths: Rows) -> Rows:
    """starts[0], starts[0] + 1, … of each length, one after another."""
    begins = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum(), dtype=np.int64) - np.repeat(begins - starts, lengths)


def _blocks(corpus: Corpus, block_bytes: int) -> list[Rows]:
    """Row numbers of runs that lie one after another in one shard."""
    shards, offsets, sizes = corpus.shard_numbers, corpus.offsets, corpus.sizes
    order = np.lexsort((offsets, shards))
    ends = np.cumsum(sizes[order])
    blocks, start = [], 0
    for shard_end in [*(np.flatnonzero(np.diff(shards[order])) + 1).tolist(), len(order)]:
        while start < shard_end:
            limit = (ends[start - 1] if start else 0) + block_bytes
            fitting = int(np.searchsorted(ends, limit, side="right"))
            end = min(max(fitting, start + 1), shard_end)
            blocks.append(order[start:end])
            start = end
    return blocks
