"""remove, prune, mirror, pack, drop, keep, list and build --again: what they leave, and what they say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from loaders.corpus import open_corpus
from loaders.dataset import CorpusDataset
from loaders.opening import CorpusError
from pipelines.commands.command import main

from ...conftest import annotated, manifest


def talk(question: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": question}, {"from": "gpt", "value": "Yes."}]


@pytest.fixture
def rows(media: Path, tmp_path: Path) -> Path:
    """Two rows of one clip and span, one of another clip."""
    source = tmp_path / "in"
    source.mkdir()
    for name in ("silent.ogv", "talk.mp4"):
        shutil.copy2(media / name, source / name)
    said: list[dict[str, Any]] = [
        {"id": "zebra", "video": "talk.mp4", "end": 2, "conversations": talk("A zebra?"), "split": "train"},
        {"id": "walrus", "video": "talk.mp4", "end": 2, "conversations": talk("A walrus?"), "split": "test"},
        {"id": "silence", "video": "silent.ogv", "conversations": talk("Silent?"), "split": "train"},
    ]
    return manifest(source / "rows.jsonl", *said)


@pytest.fixture
def build(rows: Path, features: list[str], tmp_path: Path) -> list[str]:
    return ["build", str(rows), "--output", str(tmp_path / "o"), *features]


@pytest.fixture
def output(build: list[str], tmp_path: Path) -> Path:
    assert main(build) == 0
    return tmp_path / "o"


def ledger(output: Path) -> dict[str, str]:
    """Id -> status."""
    return pd.read_parquet(output / "ledger.parquet").set_index("id")["status"].to_dict()


def sound(output: Path) -> bool:
    return main(["verify", str(output)]) == 0


def test_what_is_removed_leaves_and_stays_out(output, build, read_samples, capsys) -> None:
    before = read_samples(output)
    assert main(["remove", str(output), "silence", "--dry-run"]) == 0
    assert "1 inputs would leave" in capsys.readouterr().out
    assert read_samples(output) == before
    assert main(["remove", str(output), "silence"]) == 0
    after = read_samples(output)
    assert set(after) == set(before) - {"silence"}
    assert all(after[name] == before[name] for name in after)
    assert ledger(output)["silence"] == "removed"
    assert sound(output)
    assert main(build) == 0
    assert set(read_samples(output)) == set(after)


@pytest.mark.parametrize("pruned", [False, True])
def test_a_removed_row_that_leaves_the_manifest_takes_no_other_out(output, build, rows, read_samples, pruned):
    """The rows that follow it get its number and the next ones."""
    assert main(["remove", str(output), "zebra"]) == 0
    if pruned:
        assert main(["prune", str(output)]) == 0
    first, *others = rows.read_text().splitlines()
    rows.write_text("\n".join(others) + "\n")
    assert main([*build, "--mirror", "--yes"]) == 0
    assert set(read_samples(output)) == {"walrus", "silence"}
    assert sound(output)
    rows.write_text("\n".join([*others, first]) + "\n")
    assert main(build) == 0
    assert set(read_samples(output)) == {"walrus", "silence"}


def test_a_sample_of_two_inputs_goes_on_under_the_others_name(output, read_samples) -> None:
    before = read_samples(output)["walrus"]
    assert main(["remove", str(output), "walrus"]) == 0
    after = read_samples(output)
    assert set(after) == {"zebra", "silence"}
    assert after["zebra"]["clip.npy"] == before["clip.npy"]
    said = annotated(after["zebra"])
    assert [turns[0]["value"] for turns in said["conversations"]] == ["A zebra?"]
    assert said["metadata"] == {"split": "train"}
    table = pd.read_parquet(output / "ledger.parquet").set_index("id")
    assert list(table.loc["zebra", "keys"]) == [json.loads(after["zebra"]["json"])["key"]]
    assert sound(output)


def test_after_prune_an_input_is_known_by_a_salted_digest_alone(output, build, files, rows) -> None:
    assert main(["remove", str(output), str(rows.parent / "silent.ogv")]) == 0
    assert main(["prune", str(output), "--dry-run"]) == 0
    assert "silence" in ledger(output)
    assert main(["prune", str(output)]) == 0
    assert "silence" not in ledger(output)
    assert sound(output)
    pruned = files(output)
    assert main(build) == 0
    assert files(output) == pruned


def test_an_unknown_input_is_a_users_mistake(output, capsys) -> None:
    assert main(["remove", str(output), "panda"]) == 2
    assert "has no input 'panda': ledger.parquet lists them" in capsys.readouterr().err


def test_a_kept_state_is_opened_by_its_name_and_holds_prune_back(output, build, capsys, rows) -> None:
    assert main(["keep", str(output), "before"]) == 0
    assert main(["remove", str(output), "silence"]) == 0
    assert len(open_corpus(output)) == 1
    kept = CorpusDataset(open_corpus(output, state="before"))
    assert {kept[at].id for at in range(len(kept))} == {"walrus", "silence"}
    assert len(list(output.glob("kept/shards/*.tar"))) == 1  # what the present does not need
    assert sound(output)
    assert main(["keep", str(output), "before"]) == 2
    assert "before is the name of state 1 already" in capsys.readouterr().err
    assert main(["prune", str(output)]) == 2
    assert "--release" in capsys.readouterr().err
    assert main(["keep", str(output), "before", "--release"]) == 0
    assert main(["prune", str(output)]) == 0
    assert not (output / "kept").exists()
    with pytest.raises(CorpusError, match="no state 'before' is kept"):
        open_corpus(output, state="before")


def test_list_says_every_shard_once(output, capsys, clip) -> None:
    capsys.readouterr()
    assert main(["list", str(output), "--urls"]) == 0
    told = capsys.readouterr().out.splitlines()
    there = [*output.glob("shards/*.tar"), *output.glob("columns/*/*.tar")]
    assert told == sorted(map(str, there), key=lambda path: ("/columns/" in path, path))
    assert main(["list", str(output)]) == 0
    assert "present                 state 1: 2 samples, 2 shards" in capsys.readouterr().out


def test_mirror_takes_out_what_is_no_longer_named(output, build, rows, read_samples, capsys) -> None:
    lines = rows.read_text().splitlines()
    rows.write_text("")
    assert main([*build, "--mirror", "--yes"]) == 2
    rows.write_text("\n".join(lines[:2]) + "\n")
    assert main([*build, "--mirror"]) == 2
    assert "would take out 1 of 3 inputs: give --yes" in capsys.readouterr().err
    assert main([*build, "--mirror", "--dry-run"]) == 0
    assert "rows.jsonl:3" in capsys.readouterr().out
    assert set(read_samples(output)) == {"walrus", "silence"}
    assert main([*build, "--mirror", "--yes"]) == 0
    assert set(read_samples(output)) == {"walrus"}
    assert sound(output)
    rows.write_text("\n".join(lines) + "\n")  # named again: back again
    assert main(build) == 0
    assert set(read_samples(output)) == {"walrus", "silence"}


def test_pack_and_drop_change_where_columns_lie_and_no_byte_of_them(
    output, build, read_samples, capsys, clip
) -> None:
    second = [*build, "--encode", f"other=clip:{clip}"]
    assert main(second) == 0
    before = read_samples(output)
    assert list(output.glob("columns/other/*.tar"))
    assert main(["pack", str(output)]) == 0
    packed = read_samples(output)
    assert not (output / "columns" / "other").exists()
    for name, members in before.items():
        arrays = {member: data for member, data in members.items() if member != "json"}
        assert {member: data for member, data in packed[name].items() if member != "json"} == arrays
        assert set(json.loads(packed[name]["json"])["features"]) == {"clip", "other"}
    assert sound(output)
    assert main(["drop", str(output), "--column", "clip"]) == 0
    assert {frozenset(members) for members in read_samples(output).values()} == {
        frozenset({"json", "other.npy", "annotations.json"})
    }
    assert sound(output)
    assert main(["drop", str(output), "--column", "other"]) == 2
    assert "other is the only column" in capsys.readouterr().err


def test_again_is_the_same_corpus_without_saying_how(output, rows, files, capsys) -> None:
    before = files(output)
    assert main(["build", "--again", str(output)]) == 0
    assert files(output) == before
    lines = rows.read_text().replace("Silent?", "Is it silent?")
    rows.write_text(lines)
    assert main(["build", "--again", str(output)]) == 0
    after = files(output)
    assert {name for name in before if name.endswith(".tar") and name not in after} == {
        "columns/annotations/000000.tar"
    }
    assert main(["build", "--again", str(output), "--clip-seconds", "5"]) == 2
    assert "leave out --clip-seconds" in capsys.readouterr().err


def test_a_column_stays_in_the_arithmetic_that_it_began_with(build, output, capsys, clip) -> None:
    """The corpus is of float32; where `auto` would be another, it stays that."""
    at = build.index("--dtype")
    other = [*build[:at], "--dtype", "bfloat16"]
    again = [*other[:2], "--output", str(output.parent / "b"), *other[4:]]
    assert main(again) == 0
    auto = [*again[:-1], "auto"]
    assert main(auto) == 0
    said = json.loads((output.parent / "b" / "corpus.json").read_text())
    assert said["columns"]["clip"]["dtype"] == "bfloat16"


def test_a_missing_shard_is_made_again(output, build, files, capsys) -> None:
    before = files(output)
    (output / "shards" / "000000.tar").unlink()
    assert main(["verify", str(output)]) == 1
    assert "shards/000000.tar: missing: mend: favor-data build" in capsys.readouterr().out
    assert main(build) == 0
    assert sound(output)
    after = files(output)
    assert sorted(Path(name).suffix for name in after) == sorted(Path(name).suffix for name in before)


def test_pack_twice_is_once_and_a_drop_again_says_so(output, build, files, capsys, clip) -> None:
    assert main([*build, "--encode", f"other=clip:{clip}"]) == 0
    assert main(["pack", str(output)]) == 0
    once = files(output)
    assert main(["pack", str(output)]) == 0
    assert files(output) == once
    assert main(["drop", str(output), "--column", "other"]) == 0
    dropped = files(output)
    (output / "index.parquet").unlink()  # as a drop that was killed after its commit leaves it
    assert main(["drop", str(output), "--column", "other"]) == 2
    assert files(output) == dropped
