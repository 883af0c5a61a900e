"""Our loader reads the columns that are asked for and no byte of the others."""

from __future__ import annotations

import os
from typing import Any

import pandas as pd
import pytest

from loaders.corpus import open_corpus
from loaders.dataset import CorpusDataset


@pytest.fixture
def read_bytes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of every read of a shard."""
    counts: list[int] = []
    preadv = os.preadv

    def counted(descriptor: int, buffers: Any, offset: int, *flags: int) -> int:
        counts.append(preadv(descriptor, buffers, offset, *flags))
        return counts[-1]

    monkeypatch.setattr("os.preadv", counted)
    return counts


@pytest.mark.parametrize("asked", [["clip"], ["whisper"], ["wide"], ["clip", "wide"], []])
def test_only_what_is_asked_for(changed, read_bytes, asked):
    """KEY.json, the annotations, and the columns: not one byte more, counted at the system's door."""
    corpus = open_corpus(changed["corrected answer"].root)
    dataset = CorpusDataset(corpus, columns=asked)
    index = pd.read_parquet(changed["corrected answer"].root / "index.parquet").set_index("key")
    for row in range(len(dataset)):
        read_bytes.clear()
        sample = dataset[row]
        said = index.loc[sample.key]
        wanted = said["head"] + sum(f["size"] for f in said["features"] if f["column"] in asked)
        wanted += sum(layer["size"] for layer in said["columns"] if layer["column"] == "annotations")
        assert sum(read_bytes) == wanted
        assert sample.features.keys() == set(asked) & changed["corrected answer"].columns[sample.id]


def test_one_of_two_is_as_it_is_beside_the_other(changed):
    corpus = open_corpus(changed["corrected answer"].root)
    both, one = CorpusDataset(corpus), CorpusDataset(corpus, columns=["wide"])
    for row in range(len(corpus)):
        if "wide" in both[row].features:
            assert both[row].features["wide"].equal(one[row].features["wide"])
