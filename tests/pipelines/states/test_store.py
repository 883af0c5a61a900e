"""`--store COLUMN=int8`: half the bytes, nearly the same features, whoever reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import webdataset as wds

from loaders.corpus import open_corpus
from loaders.dataset import CorpusDataset
from loaders.sample import TrainingSample
from pipelines.commands.command import main


@pytest.fixture(scope="module")
def build(media: Path, clip: str):
    def run(output: Path, *more: str) -> int:
        options = ["--whisper", "random:tiny", "--clip", clip, "--device", "cpu", "--dtype", "float32"]
        sources = [str(media / name) for name in ("transport.ts", "still.png")]
        return main(["build", *sources, "--output", str(output), *options, *more])

    return run


@pytest.fixture(scope="module")
def corpora(build, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """In float16; the same, then with Whisper's features in int8."""
    folder = tmp_path_factory.mktemp("store")
    both = folder / "float16", folder / "int8"
    assert build(both[0]) == 0
    assert build(both[1], "--store", "whisper=int8", "--store", "clip=float16") == 0
    return both


def read(root: Path, verify: bool = False) -> list[TrainingSample]:
    dataset = CorpusDataset(open_corpus(root), verify=verify)
    return [dataset[row] for row in range(len(dataset))]


def test_the_loader_gives_float16_back(corpora):
    plain, small = (read(root, verify=True) for root in corpora)
    assert [sample.key for sample in plain] == [sample.key for sample in small]
    for one, other in zip(plain, small, strict=True):
        assert one.features.keys() == other.features.keys()
        assert torch.equal(one.features["clip"], other.features["clip"])
        if "whisper" in one.features:
            a, b = one.features["whisper"].double(), other.features["whisper"].double()
            assert other.features["whisper"].dtype == torch.float16
            assert torch.cosine_similarity(a, b, -1).min() > 0.999
            assert not torch.equal(a, b)


def test_half_the_bytes(corpora):
    plain, small = (
        [
            f["size"]
            for row in pd.read_parquet(root / "index.parquet").features
            for f in row
            if f["column"] == "whisper"
        ]
        for root in corpora
    )
    assert 0.5 < sum(small) / sum(plain) < 0.52


def test_plain_readers_find_the_scale(corpora):
    shards = sorted(str(path) for path in corpora[1].glob("shards/*.tar"))
    samples = list(wds.WebDataset(shards, shardshuffle=False).decode())
    ours = {sample.key: sample.features for sample in CorpusDataset(open_corpus(corpora[1]))}
    [sample] = [sample for sample in samples if "whisper.npy" in sample]
    features = sample["whisper.npy"] * sample["whisper.scale.npy"]
    assert np.array_equal(features.astype(np.float16), ours[sample["__key__"]]["whisper"].numpy())
    assert sample["json"]["features"]["whisper"]["dtype"] == "int8"


def test_one_column_is_read_with_its_scale(corpora):
    for sample in CorpusDataset(open_corpus(corpora[1]), columns=["whisper"]):
        assert set(sample.features) <= {"whisper"}


def test_lhotse_reads_it_as_our_loader_does(corpora):
    import lhotse

    import loaders.libraries.lhotse  # noqa: F401 (registers the reader)

    assert main(["index", str(corpora[1]), "--for", "lhotse"]) == 0
    ours = {sample.key: sample.features for sample in read(corpora[1])}
    cuts = lhotse.CutSet.from_file(corpora[1] / "lhotse" / "cuts.jsonl.gz")
    found = {cut.id: cut.features.load() for cut in cuts if cut.has_features}
    assert len(found) == 1
    for key, features in found.items():
        assert np.array_equal(features, ours[key]["whisper"].reshape(-1, 384).numpy())


def test_it_verifies_stays_and_changes(corpora, build, tmp_path, capsys):
    """Nothing to do; again by itself; another way of storing is another column."""
    root = corpora[1]
    assert main(["verify", str(root)]) == 0
    before = {path: path.read_bytes() for path in root.glob("shards/*.tar")}
    assert main(["build", "--again", str(root)]) == 0
    assert before == {path: path.read_bytes() for path in root.glob("shards/*.tar")}
    assert build(root) == 0
    assert main(["verify", str(root)]) == 0
    plain, again = (read(where) for where in corpora)
    for one, other in zip(plain, again, strict=True):
        assert all(torch.equal(value, other.features[name]) for name, value in one.features.items())
    assert build(tmp_path / "o", "--store", "sound=int8") == 2
    assert (
        "--store sound=int8: want COLUMN=float16|int8, COLUMN one of whisper, clip" in capsys.readouterr().err
    )
