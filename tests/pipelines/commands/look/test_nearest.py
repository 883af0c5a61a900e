"""Groups among vectors and hashes whose copies are known, against looking at every pair."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.commands.look import nearest
from pipelines.commands.look.nearest import by_bits, by_features, groups


def test_pairs_hang_together_and_the_first_row_leads() -> None:
    [one, two] = groups(7, [(4, 5, 0.9), (1, 3, 0.8), (3, 6, 0.95)])
    assert one.members == (1, 3, 6)
    assert one.alike == (0.8, 0.95, 0.95)
    assert two.members == (4, 5)
    assert groups(3, []) == []


@pytest.mark.parametrize("exact", [True, False])
def test_copies_among_vectors_are_found(exact: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not exact:
        monkeypatch.setattr(nearest, "EXACT", 100)
    rng = np.random.default_rng(0)
    common = 5 * rng.normal(size=64)
    vectors = (rng.normal(size=(600, 64)) + common).astype(np.float32)
    vectors[500:550] = vectors[:50] + 0.1 * rng.normal(size=(50, 64))
    found = by_features(vectors, 0.9)
    pairs = {(number, 500 + number) for number in range(50)}
    assert {group.members for group in found} == pairs
    assert min(min(group.alike) for group in found) > 0.97


def test_every_hash_of_a_sample_has_to_be_close() -> None:
    rng = np.random.default_rng(1)
    hashes = rng.integers(0, 256, (300, 2, 32), np.uint8)
    for row in range(20):
        hashes[200 + row] = hashes[row]
        hashes[200 + row, :, :3] ^= 0xFF  # 24 bits
        hashes[240 + row, 0] = hashes[row, 0]  # and another second hash
    found = by_bits(hashes, 31)
    assert {group.members for group in found} == {(row, 200 + row) for row in range(20)}
    assert {alike for group in found for alike in group.alike} == {1 - 24 / 256}


def test_one_sample_has_no_copy() -> None:
    assert by_features(np.ones((1, 8), np.float32), 0.9) == []
    assert by_bits(np.zeros((0, 2, 32), np.uint8), 31) == []
