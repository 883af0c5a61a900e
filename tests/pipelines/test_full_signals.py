"""`--signals full`: every frame is looked at, and sound against picture; nothing is encoded for it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import imageio_ffmpeg
import pyarrow.parquet as pq
import pytest

from benchmarks.signals.clips import clips, render
from pipelines.commands.command import main
from schemas.rows import Row

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Strikes in step and 240 ms late; the same without sound; cuts between steps; a picture that stands."""
    made = tmp_path_factory.mktemp("full")
    strike = next(clip for clip in clips(1) if clip.name == "strike 0")
    render(strike, made / "strike.mp4")

    def ffmpeg(name: str, *arguments: str) -> None:
        subprocess.run([FFMPEG, "-v", "error", "-nostdin", *arguments, str(made / name)], check=True)

    whole = ["-i", str(made / "strike.mp4")]
    ffmpeg("late.mp4", *whole, *whole, "-map", "0:v", "-map", "1:a", "-af", "adelay=240", "-c:v", "copy")
    ffmpeg("mute.mp4", *whole, "-an", "-c:v", "copy")
    scenes = ["color=red:s=64x64:r=25:d=1.2", "testsrc=s=64x64:r=25:d=0.2", "color=white:s=64x64:r=25:d=2.6"]
    inputs = [part for scene in scenes for part in ("-f", "lavfi", "-i", scene)]
    ffmpeg("cuts.mp4", *inputs, "-filter_complex", "[0][1][2]concat=n=3", "-pix_fmt", "yuv420p")
    return made


@pytest.fixture(scope="module")
def built(folder: Path, features: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("out") / "out"
    assert main(["build", "--output", str(output), *features, "--signals", "full", str(folder)]) == 0
    return output


def rows(output: Path) -> dict[str, Row]:
    return {Path(row["id"]).stem: row for row in pq.read_table(output / "index.parquet").to_pylist()}


def test_the_offset_is_told_where_there_is_evidence(built: Path) -> None:
    found = rows(built)
    assert found["strike"]["av_offset_ms"] == pytest.approx(0, abs=100)
    assert found["late"]["av_offset_ms"] == pytest.approx(240, abs=100)
    assert found["strike"]["av_confidence"] >= 3.9
    for name in ("mute", "cuts"):
        assert found[name]["av_offset_ms"] is None
        assert found[name]["av_confidence"] is None


def test_cuts_and_freezes_are_those_of_every_frame(built: Path) -> None:
    row = rows(built)["cuts"]
    assert row["cuts"] == pytest.approx([1.2, 1.4], abs=0.021)  # a shot shorter than a step
    assert row["freeze_share"] == pytest.approx(3.8 / 4, abs=0.02)


def test_full_after_grid_encodes_nothing_and_again_makes_the_same(
    folder: Path, features: list[str], built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    build = ["build", str(folder), "--output", str(output), *features, "--signals"]
    assert main(build) == 0
    assert "av_offset_ms" not in rows(output)["strike"]
    capsys.readouterr()
    assert main([*build, "full"]) == 0
    time = next(line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("time"))
    assert "encode" not in time
    names = ("av_offset_ms", "av_confidence", "cuts", "freeze_share", "motion", "rms_dbfs")
    for name, row in rows(output).items():
        assert [row[one] for one in names] == [rows(built)[name][one] for one in names]
    assert main(["verify", str(output)]) == 0
    assert main(["build", "--again", str(output)]) == 0
    assert rows(output).keys() == rows(built).keys()
    state = json.loads(max((output / "states").glob("*.json")).read_text())
    assert "film" in state["options"]["signals"]


def test_the_shards_are_those_of_a_build_without(folder: Path, features: list[str], tmp_path: Path) -> None:
    plain, more = tmp_path / "plain", tmp_path / "more"
    build = ["build", str(folder), *features]
    assert main([*build, "--output", str(plain)]) == 0
    assert main([*build, "--output", str(more)]) == 0
    assert main([*build, "--output", str(more), "--signals", "full"]) == 0
    for shard in plain.glob("shards/*.tar"):
        assert shard.read_bytes() == (more / "shards" / shard.name).read_bytes()


def test_it_wants_pyav(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = ["build", str(folder), "--output", str(tmp_path / "out"), "--signals", "full"]
    assert main([*build, "--decoder", "decord"]) == 2
    assert "--signals full" in capsys.readouterr().err
