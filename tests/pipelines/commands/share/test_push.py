"""`favor-data push` against a stand-in of Hugging Face's hub, and reading what was pushed by hf://."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from pipelines.commands.command import main

TARGET = "hf://datasets/me/corpus"


@pytest.fixture(scope="session")
def built(media: Path, features: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five samples in five shards."""
    folder = tmp_path_factory.mktemp("pushed")
    rows = [
        {"id": f"s{n}", "media": str(media / "talk.mp4"), "start": n, "end": n + 1,
         "conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": str(n)}]}
        for n in range(5)
    ]  # fmt: skip
    write(folder / "rows.jsonl", rows)
    assert main(build(folder, features)) == 0
    return folder


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return shutil.copytree(built, tmp_path / "work")


def write(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def build(folder: Path, features: list[str]) -> list[str]:
    output = ["--output", str(folder / "corpus"), "--shard-size", "2kB", "--quiet"]
    return ["build", str(folder / "rows.jsonl"), *output, *features]


def current(corpus: Path) -> dict[str, bytes]:
    """What a stranger needs: every file but caches, notes and the like."""
    aside = ("cache", ".tmp", "builds", "claims", "kept")
    return {
        path.relative_to(corpus).as_posix(): path.read_bytes()
        for path in sorted(corpus.rglob("*"))
        if path.is_file() and path.relative_to(corpus).parts[0] not in aside
    }


def test_it_lists_first_and_publishes_what_it_listed(hub, folder, media, capsys):
    corpus = folder / "corpus"
    assert main(["push", str(corpus), TARGET, "--dry-run"]) == 0
    listed = capsys.readouterr().out
    status, out, error = hub.run("push", str(corpus), TARGET)
    assert status == 0, error
    pushed = hub.datasets["me/corpus"]
    assert pushed.files == current(corpus)
    assert pushed.private
    for name in pushed.files:
        assert f"  {name}\n" in out, name
        assert f"  {name}\n" in listed, name
    for said in (out, listed):
        assert f"{media}: {media}/talk.mp4" in said
        assert "5 samples, 5 conversations" in said
        assert "paths of this machine" in said
    assert out.index("uris of media") < out.index("files are there already")
    # the state that names the shards is the last commit's, so nobody finds a state without its shards
    assert [("states/000001.json" in files) for _, files in pushed.commits] == [False, False, True]


def test_a_killed_push_goes_on_and_sends_nothing_twice(hub, folder):
    hub.stall = 3
    process = hub.start("push", str(folder / "corpus"), TARGET)
    assert hub.stalled.wait(120)
    process.kill()
    process.communicate()
    before = list(hub.uploads)
    assert len(before) == 3
    hub.stall = None
    status, _, error = hub.run("push", str(folder / "corpus"), TARGET)
    assert status == 0, error
    assert hub.datasets["me/corpus"].files == current(folder / "corpus")
    assert len(hub.uploads) == len(set(hub.uploads))
    status, out, _ = hub.run("push", str(folder / "corpus"), TARGET)
    assert (status, len(hub.uploads)) == (0, len(set(hub.uploads)))
    assert "0 to send, 0 to delete" in out


def test_after_a_corrected_answer_only_that_goes_and_the_old_leaves(hub, folder, features):
    corpus = folder / "corpus"
    assert hub.run("push", str(corpus), TARGET, "--public")[0] == 0
    assert not hub.datasets["me/corpus"].private
    hub.datasets["me/corpus"].commits.append(
        ("by hand", {**hub.datasets["me/corpus"].files, "notes.md": b"mine"})
    )
    sent = len(hub.uploads)
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    rows[2]["conversations"][1]["value"] = "corrected"
    write(folder / "rows.jsonl", rows)
    assert main(build(folder, features)) == 0
    assert hub.run("push", str(corpus), TARGET)[0] == 0
    assert hub.datasets["me/corpus"].files == {**current(corpus), "notes.md": b"mine"}
    new = set(hub.uploads[sent:])
    shards = {
        hashlib.sha256(content).hexdigest() for name, content in current(corpus).items() if "shards/" in name
    }
    assert new
    assert not new & shards


def test_others_read_it_from_the_hub(hub, folder):
    """Our loader by hf://, Hugging Face datasets by the card, streaming and not."""
    assert hub.run("push", str(folder / "corpus"), TARGET)[0] == 0
    ours = f"""
import json
from loaders.corpus import open_corpus
from loaders.dataset import CorpusDataset
dataset = CorpusDataset(open_corpus("{TARGET}"), verify=True)
said = {{s.id: [s.conversations[0][1]["value"], list(s.features["clip"].shape)] for s in dataset}}
print(json.dumps(said))
"""
    assert hub.python(ours) == {f"s{n}": [str(n), [2, 1, 16]] for n in range(5)}
    theirs = """
import json, datasets, pandas
datasets.disable_progress_bars()
def load(name):
    return list(datasets.load_dataset("me/corpus", name, split="train", streaming=STREAMING))
index = pandas.read_parquet("hf://datasets/me/corpus/index.parquet")
ids = sorted(row["json"]["id"] for row in load("samples"))
print(json.dumps([ids, len(load("annotations")), sorted(index["id"]) == ids]))
"""
    for streaming in ("True", "False"):
        assert hub.python(theirs.replace("STREAMING", streaming)) == [[f"s{n}" for n in range(5)], 5, True]


@pytest.mark.parametrize(
    "target", ["hf://me/corpus", "hf://datasets/corpus", "s3://bucket/x", "hf://datasets/me/cor pus", "x"]
)
def test_a_target_that_is_none(target, folder, capsys):
    assert main(["push", str(folder / "corpus"), target]) == 2
    assert "want hf://datasets/OWNER/NAME" in capsys.readouterr().err


def test_errors_are_one_line(hub, folder, capsys):
    corpus = str(folder / "corpus")
    status, _, error = hub.run("push", corpus, TARGET, HF_TOKEN="another")
    assert (status, error.count("\n")) == (2, 1)
    assert "the hub refuses (401)" in error
    status, _, error = hub.run("push", corpus, TARGET, HF_ENDPOINT="http://127.0.0.1:9")
    assert (status, error.count("\n")) == (3, 1)
    assert "the same command goes on" in error
    hub.broken = True
    status, _, error = hub.run("push", corpus, TARGET)
    assert (status, error.count("\n")) == (3, 1)
    assert main(["push", str(folder), TARGET]) == 2
    assert main(["push", "s3://bucket/corpus", TARGET]) == 2
    assert "mount the bucket" in capsys.readouterr().err
