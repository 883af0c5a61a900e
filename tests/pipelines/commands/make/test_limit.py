"""`--limit N` tries a build out on the first inputs; `--quiet` says nothing of what goes well; `--json`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.commands.command import main


def test_the_first_inputs_alone_and_later_the_rest(
    media: Path, features: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = tmp_path / "media", tmp_path / "corpus"
    folder.mkdir()
    for name in ("a", "b", "c"):
        shutil.copy(media / "still.png", folder / f"{name}.png")
    command = ["build", str(folder), "--output", str(output), "--quiet", *features]

    def ids() -> list[str]:
        return sorted(row["id"] for row in pq.read_table(output / "ledger.parquet").to_pylist())

    assert main([*command, "--limit", "2"]) == 0
    assert ids() == ["a.png", "b.png"]
    said = capsys.readouterr()
    assert said.out == ""
    assert "rejected" not in said.err
    assert main(command) == 0
    assert ids() == ["a.png", "b.png", "c.png"]


def test_json_is_the_summary_for_a_program(
    media: Path, features: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = tmp_path / "media", tmp_path / "corpus"
    folder.mkdir()
    shutil.copy(media / "still.png", folder / "a.png")
    (folder / "b.mp4").write_text("no film")
    command = ["build", str(folder), "--output", str(output), "--json", *features]

    def said(*more: str) -> dict[str, Any]:
        assert main([*command, *more]) == 0
        (line,) = capsys.readouterr().out.splitlines()
        found: dict[str, Any] = json.loads(line)
        return found

    assert said("--dry-run") == {"output": str(output), "named": 2, "to_look_at": 2, "leaving": []}
    first = said()
    assert first["build"]["rejected_by_reason"] == {"not_media": 1}
    assert [first["build"][name] for name in ("inputs", "done", "rejected")] == [2, 1, 1]
    assert first["corpus"]["samples"] == len(pq.read_table(output / "index.parquet")) == 1
    shutil.copy(media / "still.png", folder / "c.png")
    (folder / "a.png").unlink()
    second = said()
    assert (second["build"]["inputs"], second["corpus"]["inputs"]) == (2, 3)  # the corpus keeps what it has
    assert second["state"] == first["state"] + 1
