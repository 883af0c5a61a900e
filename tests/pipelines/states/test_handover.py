"""What a shard holds leaves the corpus's own cache at once, and is never lost nor computed twice."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.commands.command import main
from pipelines.steps import shards
from storage import files as storage
from storage.errors import StorageError

HELD = (".npy", ".int8", ".flac")


@pytest.fixture
def build(media, clip):
    def run(output: Path, *others: str, sources: tuple[Path, ...] = (media,)) -> int:
        encoder = ["--whisper", "none", "--clip", clip, "--clip-tokens", "cls", "--dtype", "float32"]
        command = ["build", *map(str, sources), "--output", str(output), *encoder]
        return main([*command, "--keep", "audio", "--shard-size", "40kB", "--clip-seconds", "2", *others])

    return run


def held(output: Path) -> list[Path]:
    return [path for path in output.glob("cache/*/*") if path.suffix in HELD]


def misses(output: Path) -> list[int]:
    """Of each build that committed."""
    notes = sorted(output.glob("builds/*.json"))
    return [json.loads(note.read_bytes())["counters"].get("cache_misses", 0) for note in notes]


@pytest.mark.parametrize("store", ["float16", "int8"])
def test_before_the_commit_features_lie_in_shards_alone_and_a_failure_there_loses_none(
    store, build, tmp_path, files, monkeypatch
) -> None:
    options = ["--store", f"clip={store}"]
    assert build(tmp_path / "whole", *options) == 0
    output = tmp_path / "failed"
    create, seen = storage.create_if_absent, []

    def fail(uri: str, content: bytes, root: str | None = None) -> bool:
        if "/states/" in uri:
            seen.append((held(output), len(list(output.glob("shards/*.tar")))))
            raise StorageError("the disk is full")
        return create(uri, content, root)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "create_if_absent", fail)
        assert build(output, *options) == 3
    assert seen == [([], len(list((tmp_path / "whole" / "shards").glob("*.tar"))))]
    assert seen[0][1] > 1
    assert build(output, *options) == 0
    assert misses(output) == [0]
    assert files(output) == files(tmp_path / "whole")
    assert held(output) == []


def test_a_build_killed_while_it_writes_shards_has_every_feature_once(
    build, tmp_path, files, monkeypatch
) -> None:
    assert build(tmp_path / "whole") == 0
    output, hand_over, calls = tmp_path / "failed", shards.hand_over, []

    def fail(output: str, shard: str, samples: Any) -> None:
        calls.append(shard)
        if len(calls) == 3:
            raise StorageError("the disk is full")
        hand_over(output, shard, samples)

    with monkeypatch.context() as patch:
        patch.setattr(shards, "hand_over", fail)
        assert build(output) == 3
    assert held(output), "nothing was left to write"
    assert build(output) == 0
    assert misses(output) == [0]
    assert files(output) == files(tmp_path / "whole")


def test_a_bundle_that_runs_twice_writes_the_same(build, tmp_path, files, monkeypatch) -> None:
    assert build(tmp_path / "whole") == 0
    process = shards._WriteShard.process

    def twice(self: Any, element: Any) -> Any:
        list(process(self, element))
        return process(self, element)

    with monkeypatch.context() as patch:
        patch.setattr(shards._WriteShard, "process", twice)
        assert build(tmp_path / "twice") == 0
    assert files(tmp_path / "twice") == files(tmp_path / "whole")
    assert held(tmp_path / "twice") == []


def test_what_samples_share_is_there_for_all_of_them(build, media, tmp_path, files) -> None:
    """One sound beside two pictures, and a film whose sound is a sample of its own."""
    (tmp_path / "other.png").write_bytes((media / "still.png").read_bytes() + b" ")
    sound, film = str(media / "voice.opus"), str(media / "talk.mp4")
    rows: list[dict[str, object]] = [
        {"id": "a", "image": str(media / "still.png"), "audio": sound, "start": 0, "end": 2},
        {"id": "b", "image": str(tmp_path / "other.png"), "audio": sound, "start": 0, "end": 2},
        {"id": "c", "media": film, "start": 0, "end": 2},
        {"id": "d", "audio": film, "start": 0, "end": 2},
    ]
    manifest = tmp_path / "rows.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    small = ["--shard-size", "1kB"]
    assert build(tmp_path / "own", *small, sources=(manifest,)) == 0
    assert build(tmp_path / "far", *small, "--cache", str(tmp_path / "cache"), sources=(manifest,)) == 0
    assert files(tmp_path / "own") == files(tmp_path / "far")
    assert held(tmp_path / "own") == []
    assert len(list((tmp_path / "own" / "shards").glob("*.tar"))) == 4
