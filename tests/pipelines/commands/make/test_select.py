"""Samples chosen by their signals and metadata: a manifest that builds the same, a view that loads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from loaders.corpus import CorpusError, open_corpus
from loaders.dataset import CorpusDataset
from pipelines.commands.command import main

SPOKEN = "speech_share > 0.3 AND video_codec = 'h264'"


@pytest.fixture(scope="module")
def measured(media: Path, features: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("select")
    rows = [
        {"media": str(path), "split": "train" if path.suffix != ".png" else "test"}
        for path in sorted(media.iterdir())
    ]
    rows[0]["conversations"] = [{"from": "human", "value": "What?"}, {"from": "gpt", "value": "This."}]  # type: ignore[assignment]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    output = folder / "out"
    assert main(["build", str(folder / "rows.jsonl"), "--output", str(output), *features, "--signals"]) == 0
    return output


def keys(output: Path) -> list[str]:
    found: list[str] = pq.read_table(output / "index.parquet")["key"].to_pylist()
    return sorted(found)


def test_a_view_holds_what_passes_copies_nothing_verifies_and_loads(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "source"
    shutil.copytree(measured, source)
    view = tmp_path / "view"
    assert main(["select", str(source), "--where", SPOKEN, "--output", str(view)]) == 0
    said = capsys.readouterr().out
    assert "of 6 samples pass" in said
    assert "NULL" in said
    assert {path.name for path in view.rglob("*") if path.is_file()} == {"index.parquet", "view.json"}
    assert main(["verify", str(view)]) == 0
    corpus = open_corpus(view)
    assert [corpus.key(row) for row in range(len(corpus))] == sorted(keys(view))
    whole = open_corpus(source, where=SPOKEN)
    assert len(whole) == len(corpus)
    assert whole.unknown > 0
    ours, theirs = CorpusDataset(corpus, verify=True)[0], CorpusDataset(whole)[0]
    assert ours.key == theirs.key
    assert all(bool((ours.features[name] == theirs.features[name]).all()) for name in ("clip",))
    assert len(open_corpus(view, where="steps > 1000 OR true")) == len(corpus)

    name = json.loads((view / "view.json").read_text())["state"]
    first = json.loads((measured.parent / "rows.jsonl").read_text().splitlines()[0])["media"]
    assert main(["remove", str(source), first]) == 2
    assert str(view) in capsys.readouterr().err
    assert main(["prune", str(source)]) == 2
    assert str(view) in capsys.readouterr().err
    assert (source / "kept" / f"{name}.json").exists()
    assert main(["prune", str(source), "--force"]) == 0
    with pytest.raises(CorpusError, match="select again"):
        open_corpus(view)
    assert main(["verify", str(view)]) == 1


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_manifest_builds_the_same_samples(
    kind: str, measured: Path, features: list[str], tmp_path: Path
) -> None:
    manifest, again = tmp_path / f"chosen.{kind}", tmp_path / "again"
    assert main(["select", str(measured), "--where", "split = 'train'", "--output", str(manifest)]) == 0
    assert main(["build", str(manifest), "--output", str(again), *features]) == 0
    assert keys(again) == keys(measured)[:-1] or set(keys(again)) < set(keys(measured))
    said = {row["key"]: row for row in pq.read_table(measured / "index.parquet").to_pylist()}
    for row in pq.read_table(again / "index.parquet").to_pylist():
        assert row["conversations"] == said[row["key"]]["conversations"]
        assert row["split"] == "train"


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("speech >", "syntax"),
        ("nothing_like_it > 1", "nothing_like_it"),
        ("steps", "not true or false"),
        ("key IN (SELECT 'a')", "one row"),
    ],
)
def test_what_is_no_condition_is_one_line_and_writes_nothing(
    where: str, why: str, measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["select", str(measured), "--where", where, "--output", str(tmp_path / "x.jsonl")]) == 2
    said = capsys.readouterr().err
    assert why in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_nothing_that_passes_and_an_output_that_is_there(measured: Path, tmp_path: Path) -> None:
    new = tmp_path / "x.jsonl"
    assert main(["select", str(measured), "--where", "steps > 10000", "--output", str(new)]) == 1
    assert not new.exists()
    new.write_text("mine")
    assert main(["select", str(measured), "--where", "true", "--output", str(new)]) == 2
    assert new.read_text() == "mine"


def test_a_copy_is_a_corpus_of_its_own(
    measured: Path,
    features: list[str],
    clip: str,
    media: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source, new = tmp_path / "source", tmp_path / "new"
    shutil.copytree(measured, source)
    rows = str(measured.parent / "rows.jsonl")
    more = ["build", rows, *features, "--signals", "--encode", f"more=clip:{clip}"]
    assert main([*more, "--output", str(source)]) == 0  # a column in shards of its own
    assert main(["select", str(source), "--where", SPOKEN, "--output", str(new), "--copy"]) == 0
    whole, ours = open_corpus(source, where=SPOKEN), open_corpus(new)
    assert keys(new) == sorted(whole.key(row) for row in range(len(whole)))
    copied, there = CorpusDataset(ours, verify=True), CorpusDataset(whole)
    for one, other in ((copied[at], there[at]) for at in range(len(ours))):
        assert one.key == other.key
        assert {"clip", "more"} <= set(one.features)
        assert all(bool((one.features[name] == other.features[name]).all()) for name in ("clip", "more"))
    shutil.rmtree(source)  # nothing of it is read any more
    assert main(["verify", str(new)]) == 0
    ledger = pq.read_table(new / "ledger.parquet").to_pylist()
    assert sorted(row["status"] for row in ledger) == ["done"] * len(ours) + ["filtered"] * (6 - len(ours))
    assert {row["detail"] for row in ledger} == {None, SPOKEN}

    capsys.readouterr()
    assert main([*more, "--output", str(new), "--where", SPOKEN]) == 0  # it goes on as any corpus
    assert keys(new) == sorted(ours.key(row) for row in range(len(ours)))
    assert main(["select", str(new), "--where", "true", "--output", str(tmp_path / "x.jsonl"), "--copy"]) == 2
