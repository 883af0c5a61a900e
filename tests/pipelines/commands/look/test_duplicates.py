"""Planted copies are found: of the same bytes, re-encoded, made smaller."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.commands.command import main
from tests.pipelines.conftest import ffmpeg

PICTURES = sorted((Path(__file__).parents[4] / "demo" / "media" / "pictures").glob("*.jpg"))


@pytest.fixture(scope="module")
def planted(features: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted")
    media = folder / "media"
    media.mkdir()
    for picture in PICTURES:
        for part, x in (("left", 10), ("right", 300)):
            path = media / f"{picture.stem}_{part}.mp4"
            chain = f"scale=960:720,crop=480:360:x='{x}+t*12':y=20"
            ffmpeg(
                "-loop", "1", "-i", str(picture), "-vf", chain, "-t", "2", "-pix_fmt", "yuv420p", str(path)
            )
    shutil.copy(media / "cat_left.mp4", media / "copy.mp4")
    ffmpeg(
        "-i", str(media / "coffee_left.mp4"), "-vf", "scale=240:180", "-crf", "32", str(media / "again.mp4")
    )
    output = folder / "out"
    assert main(["build", str(media), "--output", str(output), *features, "--signals"]) == 0
    return output


def groups(table: Path, method: str) -> list[set[str]]:
    found: dict[int, set[str]] = {}
    for row in pq.read_table(table).to_pylist():
        if row["method"] == method:
            found.setdefault(row["group"], set()).add(row["key"].partition("-mp4")[0])
    return sorted(found.values(), key=sorted)


def test_copies_are_found_by_bytes_and_by_hash(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["duplicates", str(planted)]) == 0
    table = planted / "duplicates.parquet"
    assert groups(table, "bytes") == [{"cat-left", "copy"}] or groups(table, "bytes") == [
        {"cat_left", "copy"}
    ]
    near = groups(table, "phash")
    assert len(near) == 2
    assert {"again", "copy"} < set().union(*near)
    said = capsys.readouterr().out
    assert "weights" in said
    assert main(["verify", str(planted)]) == 0


def test_a_column_that_is_not_there_is_said(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["duplicates", str(planted), "--column", "dino"]) == 2
    assert "clip" in capsys.readouterr().err
