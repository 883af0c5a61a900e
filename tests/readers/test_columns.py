"""Our loader reads the columns that are asked for and no byte of the others."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pytest

from loaders.corpus import open_corpus
from loaders.dataset import CorpusDataset
from storage import files


@pytest.fixture
def read_around(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """File and offset of every block of annotations."""
    blocks: list[tuple[str, int]] = []
    pread = os.pread

    def noted(descriptor: int, size: int, offset: int) -> bytes:
        blocks.append((str(Path(f"/proc/self/fd/{descriptor}").readlink()), offset))
        assert size <= 20 << 10
        return pread(descriptor, size, offset)

    monkeypatch.setattr("os.pread", noted)
    return blocks


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
def test_only_what_is_asked_for(changed, read_bytes, read_around, asked):
    """KEY.json and the columns: not one byte more, counted at the system's door; of shards of annotations
    what lies around the sample's, once."""
    corpus = open_corpus(changed["corrected answer"].root)
    dataset = CorpusDataset(corpus, columns=asked)
    index = pd.read_parquet(changed["corrected answer"].root / "index.parquet").set_index("key")
    for row in range(len(dataset)):
        read_bytes.clear()
        sample = dataset[row]
        said = index.loc[sample.key]
        wanted = said["head"] + sum(f["size"] for f in said["features"] if f["column"] in asked)
        assert sum(read_bytes) == wanted
        assert sample.features.keys() == set(asked) & changed["corrected answer"].columns[sample.id]
    assert all("/columns/annotations/" in path for path, _ in read_around)
    assert len(read_around) == len(set(read_around)) > 0, "a block was read twice"


def test_one_of_two_is_as_it_is_beside_the_other(changed):
    corpus = open_corpus(changed["corrected answer"].root)
    both, one = CorpusDataset(corpus), CorpusDataset(corpus, columns=["wide"])
    for row in range(len(corpus)):
        if "wide" in both[row].features:
            assert both[row].features["wide"].equal(one[row].features["wide"])


def test_far_away_a_batch_asks_once_for_a_small_columns_samples(changed, monkeypatch):
    """Annotations of neighbours come by one request; of the base's other columns nothing is read."""
    root = changed["corrected answer"].root
    memory = fsspec.filesystem("memory")
    memory.put(str(root), "/far", recursive=True)
    asked, read_range = [], files.read_range

    def counted(uri: str, offset: int, size: int) -> bytes:
        asked.append((uri.removeprefix("memory://far/"), size))
        return read_range(uri, offset, size)

    monkeypatch.setattr(files, "read_range", counted)
    try:
        corpus = open_corpus("memory://far")
        near = CorpusDataset(open_corpus(root), columns=["clip"])
        dataset = CorpusDataset(corpus, columns=["clip"])
        dataset.fetch(np.arange(len(dataset)))
        samples = [dataset[row] for row in range(len(dataset))]
    finally:
        memory.rm("/far", recursive=True)
    for row, sample in enumerate(samples):
        assert sample.conversations == near[row].conversations
        assert sample.features.keys() == near[row].features.keys()
        assert all(value.equal(near[row].features[name]) for name, value in sample.features.items())
    index = pd.read_parquet(root / "index.parquet")
    shards = {
        layer["shard"] for layers in index["columns"] for layer in layers if layer["column"] == "annotations"
    }
    assert Counter(shard for shard, _ in asked if shard in shards) == dict.fromkeys(shards, 1)
    wanted = index["head"].sum() + sum(
        feature["size"]
        for features in index["features"]
        for feature in features
        if feature["column"] == "clip"
    )
    assert sum(size for shard, size in asked if shard.startswith("shards/")) == wanted
