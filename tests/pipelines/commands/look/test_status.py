"""Who is at work on a corpus and how far, said while a real build runs; and who is not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pipelines.commands.command import main
from storage import files

from ...conftest import ffmpeg, pictures

ROOT = Path(__file__).parents[4]
# The command itself, which says twenty times a second how far it is.
BUILD = """
import sys
from storage import files
files.TOLD_S = 0.05
from pipelines.commands.command import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("status") / "film.mp4"
    ffmpeg(*pictures(20), "-c:v", "libx264", str(path))
    return path


def status(output: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["status", str(output), "--json"]) == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


def builds(output: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """None before a build has said its first word."""
    words = output.glob(f"{files.STAGING}/*{files.ALIVE}")
    return status(output, capsys)["builds"] if any(words) else []


def begun(film: Path, output: Path, features: list[str]) -> subprocess.Popen[bytes]:
    command = ["build", str(film), "--output", str(output), *features, "--quiet", "--clip-seconds", "1"]
    return subprocess.Popen([sys.executable, "-c", BUILD, *command], cwd=ROOT, start_new_session=True)


def test_a_build_is_followed_from_outside(
    film: Path, features: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    build = begun(film, output, features)
    told: list[dict[str, Any]] = []
    while build.poll() is None:
        told += builds(output, capsys)
        time.sleep(0.05)
    assert build.wait() == 0
    assert {(said["process"], said["runner"]) for said in told} == {(build.pid, "FnApiRunner")}
    planned, done = ([said[name] for said in told] for name in ("planned", "done"))
    assert (planned, done) == (sorted(planned), sorted(done))
    assert told
    assert all(0 <= seconds <= 20 for seconds in (*planned, *done))
    [note] = (json.loads(path.read_text()) for path in output.glob("builds/*.json"))
    assert (note["counters"]["media_planned_ms"], note["counters"]["media_done_ms"]) == (20_000, 20_000)
    ended = status(output, capsys)
    assert (ended["builds"], ended["files_being_written"]) == ([], 0)
    assert (ended["state"]["number"], ended["state"]["samples"]) == (1, 20)
    assert main(["status", str(output)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "nobody is at work"


def test_who_was_killed_is_not_at_work(
    film: Path, features: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    build = begun(film, output, features)
    while len(builds(output, capsys)) != 1:  # a word that is being written is none
        assert build.poll() is None
        time.sleep(0.05)
    os.killpg(build.pid, signal.SIGKILL)
    build.wait()
    assert main(["status", str(output)]) == 2
    assert "holds no corpus, and nobody is at work on one" in capsys.readouterr().err


def test_who_has_not_been_heard_of_is_said_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On another machine, whose locks nobody here sees."""
    folder = tmp_path / files.STAGING
    folder.mkdir()
    said = {"host": "far", "process": 7, "runner": "FlinkRunner", "began": time.time() - 7200}
    said |= {"said": time.time() - 600, "lasted": 6600.0, "encoding": 6000.0}
    said |= {"planned": 1000.0, "done": 250.0, "rejected": 2}
    (folder / "elsewhere-1").write_bytes(b"")
    (folder / f"elsewhere-1{files.ALIVE}").write_text(json.dumps(said))
    assert main(["status", str(tmp_path)]) == 0
    first, how_far, silent, holds = capsys.readouterr().out.splitlines()
    assert first.startswith("a build is at work on far (process 7, FlinkRunner) since 20")
    assert how_far == (
        "  encoding, 6600 s: 25 %, 250 of 1000 media-seconds, about 300 min left, 0.0x, 2 rejected"
    )
    assert silent == "  not heard of for 10 min: if it is dead, the same command goes on"
    assert holds == f"{tmp_path}: no state yet"
