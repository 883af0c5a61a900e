"""`build --where`: what passes is written, the rest is in the ledger as filtered, with the rule."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.commands.command import main

SEEN = "visual_steps > 0 AND video_codec = 'h264'"


def ledger(output: Path) -> dict[str, dict[str, object]]:
    return {Path(row["input"]).stem: row for row in pq.read_table(output / "ledger.parquet").to_pylist()}


def ids(output: Path) -> set[str]:
    return {Path(name).stem for name in pq.read_table(output / "index.parquet")["id"].to_pylist()}


def test_what_passes_is_written_and_another_rule_changes_it(
    media: Path, features: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    build = ["build", str(media), "--output", str(output), *features]
    assert main([*build, "--where", SEEN]) == 0
    assert "2 done, 0 rejected, 4 filtered" in capsys.readouterr().out
    assert ids(output) == {"talk", "late"}
    said = ledger(output)
    assert {name for name, row in said.items() if row["status"] == "done"} == {"talk", "late"}
    assert said["voice"]["status"] == "filtered"
    assert said["voice"]["detail"] == SEEN
    assert said["voice"]["reason"] is None
    assert said["voice"]["outcomes"][0]["reason"] == "filtered"
    assert main(["verify", str(output)]) == 0

    capsys.readouterr()
    assert main([*build, "--where", SEEN]) == 0  # settled: nothing to do
    assert "nothing to do" in capsys.readouterr().out

    assert main([*build, "--where", "audio_codec = 'opus'"]) == 0
    assert ids(output) == {"late", "voice"}
    assert main(["verify", str(output)]) == 0
    assert main(build) == 0
    assert len(ids(output)) == 6
    assert main(["verify", str(output)]) == 0


def test_all_filtered_is_no_failure(media: Path, features: list[str], tmp_path: Path) -> None:
    output = tmp_path / "out"
    command = [
        "build",
        str(media / "still.png"),
        str(media / "voice.opus"),
        "--output",
        str(output),
        *features,
    ]
    assert main([*command, "--signals", "--where", "brightness > 2"]) == 0
    assert {row["status"] for row in ledger(output).values()} == {"filtered"}
    assert main([*command, "--signals", "--where", "brightness >= 0"]) == 0
    assert ids(output) == {"still"}


@pytest.mark.parametrize("where", ["brightness > 0.5", "nothing = 1", "steps >", "random() < 0.5"])
def test_a_condition_that_cannot_be_told_is_refused_before_the_work(
    where: str, media: Path, features: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    assert main(["build", str(media), "--output", str(output), *features, "--where", where]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (output / "states").exists()
