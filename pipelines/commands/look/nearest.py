"""Samples that lie close together, as groups: by their features' direction, or by bits of a hash."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

EXACT = 50_000  # vectors: up to here every pair is looked at; beyond, those of the same neighbourhoods
VISITED = 16  # neighbourhoods
LEARNT = 40  # vectors a neighbourhood to learn it from


@dataclass(frozen=True)
class Group:
    """`members`: rows that hang together, the first of them the one the others are copies of; `alike`: each
    member's likeness to whichever of the others is nearest, 1 being the same."""

    members: tuple[int, ...]
    alike: tuple[float, ...]


Pair = tuple[int, int, float]  # two rows, the lower first, and their likeness


def by_features(vectors: npt.NDArray[np.float32], least: float) -> list[Group]:
    """Groups of rows whose cosine is `least` or more, once what all have in common is taken out.

    Args:
        vectors: float32 [n, d], one a sample.
    """
    if len(vectors) < 2:
        return []
    import faiss

    centred = vectors - vectors.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.ascontiguousarray(centred / np.maximum(lengths, 1e-12), np.float32)
    index: faiss.Index = faiss.IndexFlatIP(unit.shape[1])
    if len(unit) > EXACT:
        cells = int(4 * len(unit) ** 0.5)
        near = faiss.IndexIVFFlat(index, unit.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
        near.cp.seed, near.nprobe = 0, VISITED
        learnt = np.linspace(0, len(unit) - 1, min(LEARNT * cells, len(unit))).astype(np.int64)
        near.train(unit[learnt])
        index = near
    index.add(unit)
    limits, cosines, others = index.range_search(unit, least)
    return groups(len(unit), _pairs(limits, others, cosines))


def by_bits(hashes: npt.NDArray[np.uint8], most: int) -> list[Group]:
    """Groups of rows of whose hashes each differs by at most `most` bits of 256.

    Args:
        hashes: uint8 [n, k, 32], k hashes a sample.
    """
    if len(hashes) < 2:
        return []
    import faiss

    index = faiss.IndexBinaryFlat(256)
    index.add(np.ascontiguousarray(hashes[:, 0]))
    limits, distances, others = index.range_search(np.ascontiguousarray(hashes[:, 0]), most + 1)
    near = _pairs(limits, others, distances)
    return groups(len(hashes), _all_hashes(hashes, near, most))


def _all_hashes(hashes: npt.NDArray[np.uint8], near: Iterable[Pair], most: int) -> Iterator[Pair]:
    """Those pairs whose other hashes are as close as their first."""
    for one, other, _ in near:
        apart = int(np.bitwise_count(hashes[one] ^ hashes[other]).sum(axis=1).max())
        if apart <= most:
            yield one, other, 1 - apart / 256


def _pairs(
    limits: npt.NDArray[np.int64], others: npt.NDArray[np.int64], values: npt.NDArray[np.generic]
) -> Iterator[Pair]:
    """Each pair once, of what faiss gives for a search of all among all."""
    rows = np.repeat(np.arange(len(limits) - 1), np.diff(limits).astype(np.int64))
    for at in np.flatnonzero(others > rows).tolist():
        yield int(rows[at]), int(others[at]), float(values[at])


def groups(rows: int, pairs: Iterable[Pair]) -> list[Group]:
    """What hangs together by pairs, in the order of the rows."""
    parent = list(range(rows))
    nearest: dict[int, float] = {}

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for one, other, alike in pairs:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
        for row in (one, other):
            nearest[row] = max(nearest.get(row, -1.0), alike)
    members: dict[int, list[int]] = {}
    for row in sorted(nearest):
        members.setdefault(root(row), []).append(row)
    return [Group(tuple(of), tuple(nearest[row] for row in of)) for of in members.values()]
