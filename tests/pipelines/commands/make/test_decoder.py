"""`--decoder` is refused before work begins where it is not to be had."""

from pathlib import Path

import pytest

from pipelines import build
from pipelines.commands.command import main


def test_decord_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Linux on ARM: there is no wheel."""
    monkeypatch.setattr(build, "find_spec", lambda name: None)
    (tmp_path / "a.mp4").touch()
    arguments = [str(tmp_path / "a.mp4"), "--output", str(tmp_path / "out"), "--decoder", "decord"]
    assert main(["build", *arguments]) == 2
    *_, line = capsys.readouterr().err.splitlines()  # the weights that would be fetched are said first
    assert line.startswith("favor-data: --decoder decord: decord is not installed")
    assert line.endswith("use --decoder pyav")
    assert not (tmp_path / "out").exists()
