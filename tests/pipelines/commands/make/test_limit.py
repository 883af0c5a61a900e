"""`--limit N` tries a build out on the first inputs; `--quiet` says nothing of what goes well."""

from __future__ import annotations

import shutil
from pathlib import Path

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
