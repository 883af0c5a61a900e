"""`favor-data card`: what `datasets` makes of its YAML, the licences, and that one's own words stay."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import datasets
import pytest
from huggingface_hub import DatasetCard

from pipelines.commands.command import main
from pipelines.commands.share.licences import identifier

datasets.disable_progress_bars()


@pytest.fixture(scope="module")
def built(media: Path, clip: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More than five samples without pictures; one column came later."""
    folder = tmp_path_factory.mktemp("carded")
    starts = [n / 2 for n in range(6)]
    rows = [
        *({"id": f"a{n}", "media": str(media / "voice.opus"), "start": at, "end": at + 0.5}
          for n, at in enumerate(starts)),
        {"id": "t", "media": str(media / "talk.mp4"), "license": "CC BY 4.0",
         "conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "!"}]},
    ]  # fmt: skip
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    build = ["build", str(folder / "rows.jsonl"), "--output", str(folder / "corpus"), "--quiet"]
    build += ["--whisper", "random:tiny", "--clip", clip, "--clip-tokens", "cls", "--dtype", "float32"]
    assert main([*build, "--store", "clip=int8"]) == 0
    assert main([*build, "--store", "clip=int8", "--encode", f"wide=clip:{clip}"]) == 0
    return folder / "corpus"


@pytest.fixture
def corpus(built: Path, tmp_path: Path) -> Path:
    return shutil.copytree(built, tmp_path / "corpus")


def read(corpus: Path, name: str, cache: Path) -> list[dict]:
    return list(datasets.load_dataset(str(corpus), name, split="train", cache_dir=str(cache)))


@pytest.mark.usefixtures("hub")
def test_datasets_reads_every_configuration_with_its_types(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert main(["card", str(corpus)]) == 0
    card = DatasetCard.load(corpus / "README.md")
    samples = read(corpus, "samples", tmp_path / "hf")
    held = {row["json"]["id"]: {c for c in ("clip", "whisper") if row[f"{c}.npy"]} for row in samples}
    assert held == {**{f"a{n}": {"whisper"} for n in range(6)}, "t": {"clip", "whisper"}}
    [talk] = [row for row in samples if row["json"]["id"] == "t"]
    assert len(talk["clip.npy"]) == len(talk["clip.scale.npy"]) == talk["json"]["steps"] == 11
    assert talk["json"]["media"]["video"]["uri"].endswith("talk.mp4")
    assert len(read(corpus, "wide", tmp_path / "hf")) == 1
    told = [
        json.loads(row["annotations.json"]["conversations"]) for row in read(corpus, "annotations", tmp_path)
    ]
    assert sorted(len(talks) for talks in told) == [0] * 6 + [1]
    said = {info["config_name"]: info for info in card.data.dataset_info}
    assert said["samples"]["splits"][0]["num_examples"] == 7
    shards = sum(path.stat().st_size for path in (corpus / "shards").iterdir())
    assert 0 < shards - said["samples"]["dataset_size"] <= 10240 * len(list((corpus / "shards").iterdir()))
    assert card.data.license == "cc-by-4.0"
    assert main(["verify", str(corpus)]) == 0


def test_own_words_stay_and_twice_is_once(corpus):
    (corpus / "README.md").write_text("---\npretty_name: Ours\nlicense: mit\ntags: [mine]\n---\n# Why\nSo.\n")
    assert main(["card", str(corpus)]) == 0
    once = (corpus / "README.md").read_text()
    (corpus / "README.md").write_text(once + "\nAfter.\n")
    assert main(["card", str(corpus)]) == 0
    card = DatasetCard.load(corpus / "README.md")
    assert (card.data.pretty_name, card.data.license) == ("Ours", "cc-by-4.0")
    assert {"mine", "favor-data"} <= set(card.data.tags)
    assert (corpus / "README.md").read_text() == once + "\nAfter.\n"
    assert once.count("7 samples") == 1
    assert "# Why\nSo." in once


def test_yaml_that_cannot_be_read_is_one_line(corpus, capsys):
    (corpus / "README.md").write_text("---\nlicense: [mit\n---\n")
    assert main(["card", str(corpus)]) == 2
    assert "cannot be read" in capsys.readouterr().err.splitlines()[-1]
    assert main(["card", str(corpus / "shards")]) == 2


def test_licences_of_models(corpus, hub, media, clip):
    """Of a folder by its README.md, of a model on the hub by its card; random weights have none."""
    hub.cards["somebody/clip"] = "cc-by-nc-4.0"
    Path(clip, "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    try:
        assert hub.run("card", str(corpus))[0] == 0
    finally:
        Path(clip, "README.md").unlink()
    lines = [line for line in (corpus / "README.md").read_text().splitlines() if line.startswith("| `")]
    assert [line.split(" | ")[2] for line in lines] == ["apache-2.0", "none: random weights", "apache-2.0"]
    code = """
import json
import shutil
from pipelines.commands.share.licences import of_model
from schemas.corpus import Column
said = {"modality": "video", "dtype": "float32", "options": {}, "untrained": False}
said |= dict.fromkeys(("fingerprint", "weights", "preprocessing"), "")
names = {"somebody/clip": "clip", "nobody/knows": "clip", "large-v2": "whisper"}
print(json.dumps([of_model(Column(model=name, kind=kind, **said)) for name, kind in names.items()]))
"""
    assert hub.python(code) == ["cc-by-nc-4.0", "not stated", "mit"]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("CC BY 4.0", "cc-by-4.0"),
        ("cc-by-nc-sa-3.0", "cc-by-nc-sa-3.0"),
        ("Attribution-NonCommercial 4.0 International (CC BY-NC 4.0)", "cc-by-nc-4.0"),
        ("https://creativecommons.org/licenses/by-nc-nd/4.0/legalcode", "cc-by-nc-nd-4.0"),
        ("http://creativecommons.org/publicdomain/zero/1.0/", "cc0-1.0"),
        ("CC0", "cc0-1.0"),
        ("The MIT License", "mit"),
        ("Apache 2.0", "apache-2.0"),
        ("Apache License, Version 2.0", "apache-2.0"),
        ("YouTube", "other"),
    ],
)
def test_names_of_licences(said, name):
    assert identifier(said) == name
