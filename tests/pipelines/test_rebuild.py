"""Nothing is computed twice, and a corpus grows without touching what stands."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from pipelines.commands.command import main
from pipelines.steps.decode import DecodeMedia
from pipelines.steps.featurize import WriteFeatures
from pipelines.steps.inputs import staged

from .conftest import WHISPER, ffmpeg, manifest, pictures


@pytest.fixture
def work(monkeypatch) -> dict[str, int]:
    """Counts files decoded and features computed by builds in this process; the real work is done."""
    count = {"files": 0, "features": 0}

    def counted(owner: type, method: str, name: str) -> None:
        original = getattr(owner, method)

        def wrapper(*args):
            count[name] += 1
            return original(*args)

        monkeypatch.setattr(owner, method, wrapper)

    counted(DecodeMedia, "_start", "files")
    counted(WriteFeatures, "_put", "features")
    return count


@pytest.fixture
def source(media: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("talk.mp4", "silent.ogv", "still.png"):
        shutil.copy2(media / name, folder / name)
    return folder


def build(source: Path, output: Path, features: list[str], *more: str) -> int:
    return main(["build", str(source), "--output", str(output), *features, *more])


def test_the_same_build_again_computes_nothing_and_changes_nothing(
    source, features, tmp_path, files, work
) -> None:
    output = tmp_path / "o"
    assert build(source, output, features) == 0
    assert work == {"files": 3, "features": 3}
    before = files(output)
    times = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    assert build(source, output, features) == 0
    assert work == {"files": 3, "features": 3}
    assert files(output) == before
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == times


def test_another_output_from_the_same_cache_is_byte_identical(
    source, features, tmp_path, files, work
) -> None:
    cache = ["--cache", str(tmp_path / "cache")]
    assert build(source, tmp_path / "a", features, *cache) == 0
    shutil.copy2(source / "still.png", source / "copy.png")  # bytes that the cache knows
    os.utime(source / "talk.mp4")  # looked at again, found unchanged
    assert build(source, tmp_path / "b", features, *cache) == 0
    assert work == {"files": 3, "features": 3}
    (source / "copy.png").unlink()
    assert build(source, tmp_path / "c", features, *cache) == 0
    a, c = files(tmp_path / "a"), files(tmp_path / "c")
    for found in (a, c):  # talk.mp4's modification time is in its signature
        for name in [name for name in found if name.startswith(("ledger", "tables/ledger", "states/"))]:
            del found[name]
    assert a == c


def test_order_of_inputs_and_name_of_the_folder_change_no_shard(source, features, tmp_path, files) -> None:
    assert build(source, tmp_path / "a", features) == 0
    moved = source.rename(tmp_path / "renamed")
    sources = [str(moved / name) for name in ("talk.mp4", "still.png", "silent.ogv")]
    assert main(["build", *sources, "--output", str(tmp_path / "b"), *features]) == 0

    def shards(output: Path) -> dict[str, bytes]:
        folder = str(tmp_path).encode()
        found = {name: data for name, data in files(output).items() if name.startswith("shards")}
        return {name: data.replace(folder + b"/renamed", folder + b"/in") for name, data in found.items()}

    ours, theirs = shards(tmp_path / "a"), shards(tmp_path / "b")
    assert {name: strip_sizes(data) for name, data in ours.items()} == {
        name: strip_sizes(data) for name, data in theirs.items()
    }


def strip_sizes(shard: bytes) -> bytes:
    """The uris differ in length, and with them sizes and checksums in the tar's headers."""
    return b"".join(sorted(part for part in shard.split(b"\0") if b"uri" in part or len(part) > 500))


def test_new_inputs_are_appended_and_old_shards_left_alone(
    source, media, features, tmp_path, files, work
) -> None:
    output = tmp_path / "o"
    assert build(source, output, features) == 0
    before = files(output)
    shutil.copy2(media / "late.mkv", source / "late.mkv")
    assert build(source, output, features) == 0
    after = files(output)
    assert work == {"files": 4, "features": 4}
    for name, data in before.items():
        if name.startswith("shards"):
            assert after[name] == data
    corpus = json.loads(after["corpus.json"])
    assert (corpus["state"], corpus["counts"]["samples"], corpus["counts"]["inputs"]) == (2, 4, 4)
    assert main(["verify", str(output)]) == 0


def test_inputs_named_alone_are_appended_too(source, media, features, tmp_path) -> None:
    output = tmp_path / "o"
    assert build(source, output, features) == 0
    assert build(media / "late.mkv", output, features) == 0
    ledger = pd.read_parquet(output / "ledger.parquet")
    assert len(ledger) == 4
    assert main(["verify", str(output)]) == 0


def test_changed_annotations_rewrite_only_the_shard_they_touch(
    media, features, tmp_path, files, work
) -> None:
    def rows(answer: str) -> list[dict]:
        talk = [{"from": "human", "value": "What?"}, {"from": "gpt", "value": answer}]
        return [
            {"id": "a", "video": str(media / "talk.mp4"), "conversations": talk},
            {"id": "b", "image": str(media / "still.png")},
            {"id": "c", "video": str(media / "silent.ogv")},
        ]

    output, table = tmp_path / "o", tmp_path / "m.jsonl"
    manifest(table, *rows("This."))
    sizes = ["--shard-size", "1kB"]
    assert build(table, output, features, *sizes) == 0
    before = files(output)
    manifest(table, *rows("That."))
    assert build(table, output, features, *sizes) == 0
    assert work == {"files": 3, "features": 3}
    after = files(output)
    tars = {name for name in set(after) - set(before) if name.endswith(".tar")}
    assert len(tars) == 1
    [annotations] = tars
    assert annotations.startswith("columns/annotations/000000.")
    assert b"That." in after[annotations]
    assert not any(b"This." in data for data in after.values())
    for name, data in before.items():
        if name.startswith("shards"):
            assert after[name] == data
    assert main(["verify", str(output)]) == 0


def test_an_edited_file_takes_the_place_of_the_old_one(source, features, tmp_path, read_samples) -> None:
    output = tmp_path / "o"
    assert build(source, output, features) == 0
    ffmpeg(*pictures(2.2), "-c:v", "libx264", str(source / "talk.mp4"))
    assert build(source, output, features) == 0
    index = pd.read_parquet(output / "index.parquet")
    assert sorted(index["id"]) == ["silent.ogv", "still.png", "talk.mp4"]
    assert index.set_index("id")["steps"]["talk.mp4"] == 5
    assert main(["verify", str(output)]) == 0


def test_another_encoder_computes_only_its_own_column(source, clip, features, tmp_path, work) -> None:
    output = tmp_path / "o"
    assert build(source, output, features) == 0
    work["features"] = 0
    assert build(source, output, [*features[2:], "--whisper", WHISPER]) == 0
    assert work["features"] == 1  # only talk.mp4 has sound; no frame was encoded again
    index = pd.read_parquet(output / "index.parquet").set_index("id")
    assert index["members"]["talk.mp4"] == "clip.npy"  # the base is as it was
    columns = {column["column"]: column["shard"] for column in index["columns"]["talk.mp4"]}
    assert columns["whisper"] == index["shard"]["talk.mp4"].replace("shards/", "columns/whisper/")
    assert [feature["column"] for feature in index["features"]["talk.mp4"]] == ["clip", "whisper"]
    assert main(["verify", str(output)]) == 0


def test_a_corpus_never_mixes_encoders(source, media, features, tmp_path, capsys) -> None:
    output = tmp_path / "o"
    assert build(source, output, features) == 0
    other = [*features[:-3], "pool:2x2", *features[-2:]]
    assert build(media / "late.mkv", output, other) == 2
    assert "name those inputs too" in capsys.readouterr().err


def test_retry_looks_again_at_what_was_rejected_for_that_reason(
    source, features, tmp_path, monkeypatch
) -> None:
    output = tmp_path / "o"
    (source / "text.mp4").write_text("not a film " * 20)
    assert build(source, output, features) == 0
    looked_at: list[str] = []

    def noted(rows, path, told):
        looked_at.extend(Path(row.input).name for row in rows)
        return staged(rows, path, told)

    monkeypatch.setattr("pipelines.steps.inputs.staged", noted)
    assert build(source, output, features, "--retry", "timed_out") == 0
    assert looked_at == []
    assert build(source, output, features, "--retry", "not_media,timed_out") == 0
    assert looked_at == ["text.mp4"]


def test_samples_move_together_when_a_row_joins_them(media, features, tmp_path, read_samples) -> None:
    def row(name: str) -> dict:
        talk = [{"from": "human", "value": f"{name}?"}, {"from": "gpt", "value": "Yes."}]
        return {"id": name, "image": str(media / "still.png"), "conversations": talk}

    output, table = tmp_path / "o", tmp_path / "m.jsonl"
    assert build(manifest(table, row("a")), output, features) == 0
    assert build(manifest(table, row("a"), row("b")), output, features) == 0
    index = pd.read_parquet(output / "index.parquet")
    assert index["conversations"].tolist() == [2]
    assert main(["verify", str(output)]) == 0
