"""After remove and prune nothing under OUT speaks of the input: every byte is looked at, tables as rows."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipelines.commands.command import main

from ...conftest import manifest

SECRETS = {
    "quokka": {"id": "quokka-7", "say": "Who hides in the eucalyptus?", "place": "Rottnest"},
    "marmot": {"id": "marmot-3", "say": "Who whistles on the scree?", "place": "Zermatt"},
    "twin": {"id": "aardwolf-1", "say": "Which termites does it prefer?", "place": "Karoo"},
}


def row(name: str, media: str, **more: object) -> dict[str, object]:
    said = SECRETS[name]
    turns = [{"from": "human", "value": said["say"]}, {"from": "gpt", "value": f"The {name}."}]
    return {"id": said["id"], "video": media, "conversations": turns, "place": said["place"], **more}


@pytest.fixture
def source(media: Path, tmp_path: Path) -> Path:
    """A film of its own, another one, and the other once more under another id."""
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy2(media / "silent.ogv", folder / "quokka_film.ogv")
    shutil.copy2(media / "talk.mp4", folder / "marmot_film.mp4")
    rows = [row("quokka", "quokka_film.ogv"), row("marmot", "marmot_film.mp4", end=2)]
    manifest(folder / "rows.jsonl", *rows, row("twin", "marmot_film.mp4", end=2))
    return folder


@pytest.fixture
def build(source: Path, features: list[str], tmp_path: Path) -> list[str]:
    return ["build", str(source / "rows.jsonl"), "--output", str(tmp_path / "o"), *features]


def texts(output: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file, of tables also their rows and metadata, uncompressed."""
    for path in sorted(output.rglob("*")):
        name = str(path.relative_to(output))
        yield name, name.encode()
        if path.is_file():
            yield name, path.read_bytes()
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            yield name, json.dumps([table.to_pylist(), str(table.schema)], ensure_ascii=False).encode()


def traces(output: Path, words: list[str]) -> set[tuple[str, str]]:
    return {(name, word) for name, text in texts(output) for word in words if word.encode() in text}


def told(output: Path, name: str) -> list[str]:
    """All that only this input brought: its names, words, digests."""
    said = SECRETS[name]
    ledger = pd.read_parquet(output / "ledger.parquet").set_index("id").loc[said["id"]]
    index = pd.read_parquet(output / "index.parquet").set_index("key")
    owned = [key for key in ledger["keys"] if index.loc[key, "id"] == said["id"]]
    digests = [str(index.loc[key, column]) for key in owned for column in ("sha256", "content")]
    return [said["id"], said["say"], said["place"], f"The {name}.", ledger["signature"], *owned, *digests]


def media_of(source: Path, name: str) -> list[str]:
    path = source / name
    return [name, hashlib.sha256(path.read_bytes()).hexdigest()]


def test_a_film_of_its_own_leaves_no_byte(source, build, tmp_path, files) -> None:
    output = tmp_path / "o"
    assert main(build) == 0
    words = [*told(output, "quokka"), *media_of(source, "quokka_film.ogv"), "rows.jsonl:1"]
    assert {word for _, word in traces(output, words)} == set(words)  # the search can find
    assert main(["remove", str(output), "quokka-7"]) == 0
    assert main(["prune", str(output)]) == 0
    assert not traces(output, words)
    assert main(["verify", str(output)]) == 0
    left = files(output)
    assert main(build) == 0
    assert main(["build", "--again", str(output)]) == 0
    assert files(output) == left
    assert not traces(output, words)


@pytest.mark.parametrize("name", ["marmot", "twin"])
def test_of_a_sample_that_two_inputs_share_only_ones_words_go(
    name: str, source, build, tmp_path, files
) -> None:
    """Also where the sample bore the id of the one that leaves; the other keeps film, features, words."""
    output = tmp_path / "o"
    assert main(build) == 0
    [other] = {"marmot", "twin"} - {name}
    words = [*told(output, name), f"rows.jsonl:{2 if name == 'marmot' else 3}"]
    stays = [*told(output, other)[:4], *media_of(source, "marmot_film.mp4")]
    assert main(["remove", str(output), SECRETS[name]["id"]]) == 0
    assert main(["prune", str(output)]) == 0
    assert not traces(output, words)
    assert {word for _, word in traces(output, stays)} == set(stays)
    assert main(["verify", str(output)]) == 0
    left = files(output)
    assert main(build) == 0
    assert files(output) == left


def test_a_folders_file_leaves_no_byte_and_is_not_taken_back(media, features, tmp_path) -> None:
    """Named by itself, as a SOURCE: corpus.json and the states forget that too."""
    folder, output = tmp_path / "in", tmp_path / "o"
    folder.mkdir()
    shutil.copy2(media / "silent.ogv", folder / "quokka.ogv")
    shutil.copy2(media / "still.png", folder / "marmot.png")
    sources = [str(folder / "quokka.ogv"), str(folder / "marmot.png")]
    build = ["build", *sources, "--output", str(output), "--keep", "frames", *features]
    assert main(build) == 0
    words = media_of(folder, "quokka.ogv")
    assert {word for _, word in traces(output, words)} == set(words)
    assert main(["remove", str(output), sources[0]]) == 0
    assert main(["prune", str(output)]) == 0
    assert not traces(output, words)
    again = ["build", str(folder), "--output", str(output), "--keep", "frames", *features]
    assert main(again) == 0
    assert not traces(output, words)
    assert pd.read_parquet(output / "ledger.parquet")["id"].to_list() == ["marmot.png"]
    assert main(["verify", str(output)]) == 0


def test_after_a_corrected_answer_the_old_words_are_swept(source, build, tmp_path) -> None:
    output = tmp_path / "o"
    assert main(build) == 0
    text = (source / "rows.jsonl").read_text()
    assert traces(output, ["eucalyptus"])
    (source / "rows.jsonl").write_text(text.replace("eucalyptus", "heath"))
    assert main(build) == 0
    assert not traces(output, ["eucalyptus"])
