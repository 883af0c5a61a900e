"""Ctrl-C and SIGTERM end a build in seconds, with one line, and the same command goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ..conftest import ffmpeg, pictures


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    ffmpeg(*pictures(8), "-c:v", "libx264", str(folder / "0.mp4"))
    for number in range(1, 12):
        ffmpeg(
            "-i",
            str(folder / "0.mp4"),
            "-c",
            "copy",
            "-metadata",
            f"title={number}",
            str(folder / f"{number}.mp4"),
        )
    return folder


def anyone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_build_that_is_stopped_says_so_in_one_line(
    number: signal.Signals, films: Path, features: list[str], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "pipelines",
        "build",
        str(films),
        "--output",
        str(output),
        *features,
        "--quiet",
    ]
    build = subprocess.Popen(
        [*command, "--clip-seconds", "1"], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while not list(output.glob("cache/*/*.npy")) and build.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(build.pid, number)  # a terminal sends it to all of them
    began = time.monotonic()
    _, error = build.communicate(timeout=60)
    assert build.returncode == 128 + number
    assert time.monotonic() - began < 30  # 5 s, on a machine with other work
    assert "Traceback" not in error
    lines = [line for line in error.splitlines() if line.startswith("favor-data:")]
    assert len(lines) == 1
    assert lines[0].endswith("what is done is kept: the same command goes on from here")
    while anyone(build.pid) and time.monotonic() < began + 60:
        time.sleep(0.1)
    assert not anyone(build.pid)
    again = subprocess.run([*command, "--clip-seconds", "1"], check=False, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert not list(output.rglob(".tmp"))
