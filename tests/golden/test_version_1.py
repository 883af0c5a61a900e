"""Corpora that version 0.1.0 wrote (tests/golden/1/make.sh) open, verify, load and grow."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pyarrow.parquet as pq
import pytest
import webdataset as wds

from loaders.corpus import open_corpus
from loaders.dataset import CorpusDataset
from loaders.loader import CorpusLoader
from loaders.sample import TrainingSample
from loaders.synchronise import Synchronise
from pipelines.commands.command import main

GOLDEN = Path(__file__).parent / "1"
SMOKE = ["--whisper", "random:tiny", "--clip", "random:vit-b-32", "--clip-tokens", "cls", "--device", "cpu",
         "--dtype", "float32"]  # fmt: skip
MORE = {
    "modalities": ["--keep", "frames,audio"],
    "grown": [],
    "encoders": ["--encode", "wide=clip:random:vit-l-14"],
}
IDS = {
    "modalities": {"both", "silent", "voice", "photo", "spoken", "pair"},
    "grown": {"silent.mp4", "voice.flac", "photo.png"},
    "encoders": {"silent.mp4", "second.flac"},
}
SNAPSHOTS = {"modalities": [6], "grown": [2, 3], "encoders": [2]}


@pytest.fixture(params=sorted(MORE))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def corpus(name: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN / name, tmp_path / name))


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film with sound that no golden corpus has."""
    folder = tmp_path_factory.mktemp("media")
    scene = ["-f", "lavfi", "-i", "mandelbrot=size=64x48:rate=10", "-f", "lavfi", "-i", "sine=frequency=700"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", *scene, "-t", "0.7"]
    subprocess.run([*command, "-c:v", "libx264", "-c:a", "aac", str(folder / "new.mp4")], check=True)
    return folder


def test_it_verifies(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(corpus)]) == 0
    assert "no fault" in capsys.readouterr().out


def test_it_opens_and_every_state_of_it(name: str, corpus: Path) -> None:
    opened = open_corpus(corpus)
    assert set(opened.table["id"].to_pylist()) == IDS[name]
    states = [open_corpus(corpus, snapshot=f"{number:04d}") for number in range(1, len(SNAPSHOTS[name]) + 1)]
    assert [len(state) for state in states] == SNAPSHOTS[name]


@pytest.mark.parametrize("streaming", [False, True])
def test_it_loads(name: str, corpus: Path, streaming: bool) -> None:
    opened = open_corpus(corpus)
    loader = CorpusLoader(opened, 2, streaming=streaming)
    samples = {sample.id: sample for batch in loader for sample in batch}
    assert set(samples) == IDS[name]
    for sample in samples.values():
        for column, feature in sample.features.items():
            wanted = 1 if sample.is_image and column != "whisper" else sample.steps
            assert feature.shape[0] == wanted
            assert feature.isfinite().all()
            assert feature.any()
    batches = list(CorpusLoader(opened, 2, collate=Synchronise.of(opened), streaming=streaming))
    assert len(batches) == len(loader)


def test_other_peoples_readers_find_the_same_bytes(corpus: Path) -> None:
    opened = open_corpus(corpus)
    ours = {sample.key: sample for sample in CorpusDataset(opened, verify=True)}
    shards = sorted(str(path) for path in corpus.glob("shards/*.tar"))
    theirs = {sample["__key__"]: sample for sample in wds.WebDataset(shards, shardshuffle=False).decode()}
    assert set(theirs) == set(ours)
    for key, sample in theirs.items():
        for column, feature in ours[key].features.items():
            assert np.array_equal(sample[f"{column}.npy"], feature.numpy())


def test_it_grows_and_what_it_held_stays(name: str, corpus: Path, media: Path) -> None:
    shards = {path.name: path.read_bytes() for path in corpus.glob("shards/*.tar")}
    before = samples(corpus)
    assert main(["build", str(media), "--output", str(corpus), *SMOKE, *MORE[name]]) == 0
    after = samples(corpus)
    assert before.items() <= after.items()
    [new] = after.keys() - before.keys()
    assert after[new][0] == "new.mp4"
    assert shards.items() <= {path.name: path.read_bytes() for path in corpus.glob("shards/*.tar")}.items()
    columns = set(CorpusDataset(open_corpus(corpus))[list(after).index(new)].features)
    assert columns == ({"whisper", "clip", "wide"} if name == "encoders" else {"whisper", "clip"})
    assert main(["verify", str(corpus)]) == 0


def test_it_migrates_and_what_it_held_stays(name: str, corpus: Path, media: Path) -> None:
    """Keys, features, annotations and states; then it grows, and plain readers find every sample once."""
    before = {sample.key: sample for sample in loaded(corpus)}
    assert main(["migrate", str(corpus)]) == 0
    assert main(["verify", str(corpus)]) == 0
    after = {sample.key: sample for sample in loaded(corpus)}
    assert after.keys() == before.keys()
    for key, sample in before.items():
        assert (after[key].id, after[key].conversations) == (sample.id, sample.conversations)
        assert after[key].metadata == sample.metadata
        assert after[key].features.keys() == sample.features.keys()
        assert all(after[key].features[column].equal(value) for column, value in sample.features.items())
    *earlier, last = SNAPSHOTS[name]
    assert len(after) == last  # the newest is the present state
    for number, count in enumerate(earlier, 1):
        assert len(open_corpus(corpus, state=f"{number:04d}")) == count
    assert main(["build", str(media), "--output", str(corpus), *SMOKE, *MORE[name]]) == 0
    shards = sorted(str(path) for path in corpus.glob("shards/*.tar"))
    keys = [sample["__key__"] for sample in wds.WebDataset(shards, shardshuffle=False)]
    assert len(keys) == len(set(keys)) == len(before) + 1
    assert before.keys() < set(keys)
    assert main(["verify", str(corpus)]) == 0


def loaded(corpus: Path) -> list[TrainingSample]:
    dataset = CorpusDataset(open_corpus(corpus), verify=True)
    return [dataset[row] for row in range(len(dataset))]


def test_what_it_computed_is_not_computed_again(tmp_path: Path) -> None:
    """None of these files is one that a later reading mends: all is found in the cache that 0.1.0 filled."""
    cache = Path(shutil.copytree(GOLDEN / "encoders" / "cache", tmp_path / "cache"))
    before = {path.name for path in cache.rglob("*") if path.is_file()}
    sources = [str(GOLDEN / "media" / name) for name in ("silent.mp4", "second.flac")]
    command = ["build", *sources, "--output", str(tmp_path / "o"), "--cache", str(cache)]
    assert main([*command, *SMOKE, *MORE["encoders"]]) == 0
    made = {path.name for path in cache.rglob("*") if path.is_file()} - before
    assert {Path(name).suffix for name in made} == {".probe"}


def samples(corpus: Path) -> dict[str, tuple[str, str]]:
    """Key -> id and the SHA-256 of its members, as index.parquet has them."""
    table = pq.read_table(corpus / "index.parquet", columns=["key", "id", "sha256"])
    return {row["key"]: (row["id"], row["sha256"]) for row in table.to_pylist()}
