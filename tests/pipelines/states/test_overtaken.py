"""Another build commits, or the corpus's disk goes, between a build's own commit and its last words."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipelines import settle
from pipelines.commands.command import main
from pipelines.commands.make import build
from pipelines.errors import StorageError
from pipelines.states.commit import latest, undisturbed
from pipelines.states.sweep import _prune_folders
from storage import files


def command(output: Path, features: list[str], *sources: Path) -> list[str]:
    return ["build", *map(str, sources), "--output", str(output), *features]


@pytest.fixture
def stills(media: Path, tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.png" for name in ("first", "second")]
    for number, path in enumerate(paths):
        path.write_bytes((media / "still.png").read_bytes() + bytes(number))
    return paths


def test_the_last_words_are_of_the_newer_state(
    stills: list[Path],
    features: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output, launch = tmp_path / "out", build.launch

    def and_another(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(build, "launch", launch)
        done = launch(*arguments, **named)
        assert main([*command(output, features, stills[1]), "--quiet"]) == 0
        return done

    monkeypatch.setattr(build, "launch", and_another)
    assert main(command(output, features, stills[0])) == 0
    assert "1 done" in capsys.readouterr().out
    assert main(["verify", str(output)]) == 0


def test_a_state_that_was_swept_after_the_listing_is_looked_for_again(
    stills: list[Path], features: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, listing = tmp_path / "out", files.listing
    for still in stills:
        assert main([*command(output, features, still), "--quiet"]) == 0
    late = [["000001.json"]]

    def listed(folder: str) -> Any:
        return late.pop() if late and folder.endswith("/states") else listing(folder)

    monkeypatch.setattr(files, "listing", listed)
    state = latest(str(output))
    assert not late
    assert state is not None
    assert state.state == 2

    monkeypatch.setattr(files, "listing", lambda folder: ["000001.json"])
    with pytest.raises(StorageError, match="is its disk mounted"):
        latest(str(output))


def test_a_disk_that_goes_after_the_commit_is_the_storages_fault(
    stills: list[Path],
    features: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It had said nothing, and ended with 1 as if no sample had come of anything."""
    output, gone, sweep = tmp_path / "out", tmp_path / "gone", settle.sweep

    def unmounted(*arguments: Any, **named: Any) -> None:
        monkeypatch.setattr(settle, "sweep", sweep)
        output.rename(gone)
        output.mkdir()
        sweep(*arguments, **named)

    monkeypatch.setattr(settle, "sweep", unmounted)
    argv = command(output, features, *stills)
    assert main([*argv, "--quiet"]) == 3
    assert "is its disk mounted" in capsys.readouterr().err
    shutil.rmtree(output)
    gone.rename(output)
    assert main([*argv, "--quiet"]) == 0
    assert main(["verify", str(output)]) == 0


def test_folders_that_another_sweep_takes_meanwhile_are_no_fault(
    stills: list[Path], features: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was a traceback, out of a walk whose next folder had gone."""
    output, scandir = tmp_path / "out", os.scandir
    assert main([*command(output, features, *stills), "--quiet"]) == 0
    (output / "columns" / "gone" / "deeper").mkdir(parents=True)

    def vanishing(path: Any) -> Any:
        if str(path).endswith("columns/gone"):
            shutil.rmtree(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", vanishing)
    _prune_folders(str(output))
    assert not (output / "columns" / "gone").exists()
    assert main(["verify", str(output)]) == 0


def test_a_disk_that_goes_while_a_corpus_is_read_is_not_taken_for_no_corpus(
    stills: list[Path], features: list[str], tmp_path: Path
) -> None:
    output, gone = tmp_path / "out", tmp_path / "gone"
    assert main([*command(output, features, *stills), "--quiet"]) == 0

    def read() -> None:
        output.rename(gone)
        output.mkdir()
        (output / "index.parquet").read_bytes()

    with pytest.raises(StorageError, match="is its disk mounted"):
        undisturbed(str(output), read)
