"""Killed at any moment and run again, a build ends in the same corpus."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.commands.command import main
from storage import disk, files

from .conftest import ffmpeg, pictures


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for number in range(8):
        ffmpeg(*pictures(1 + number / 4), "-c:v", "libx264", str(folder / f"clip{number}.mp4"))
    return folder


def start(clips: Path, output: Path, features: list[str]) -> subprocess.Popen:
    command = [
        sys.executable,
        "-m",
        "pipelines",
        "build",
        str(clips),
        "--output",
        str(output),
        *features,
    ]
    return subprocess.Popen(
        [*command, "--shard-size", "4kB", "--clip-seconds", "1"],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_build_killed_again_and_again_loses_nothing(clips, features, tmp_path, files) -> None:
    build = start(clips, tmp_path / "whole", features)
    assert build.wait(300) == 0
    chance = random.Random(5)
    output = tmp_path / "killed"
    kept: set[Path] = set()
    for _ in range(2):
        build = start(clips, output, features)
        deadline = time.monotonic() + 300
        target = len(kept) + chance.randint(4, 14)  # cache entries: a moment inside the work, on any machine
        while build.poll() is None and len(entries(output)) < target and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(build.pid, signal.SIGKILL)
        build.wait()
        assert kept <= entries(output)
        kept = entries(output)
        assert not list(output.glob("shards/*tmp*"))
    times = {path: path.stat().st_mtime_ns for path in kept}
    assert start(clips, output, features).wait(300) == 0
    left = kept & entries(output)  # features leave the cache when shards hold them
    assert {path.suffix for path in left} == {".json", ".probe"}
    assert {path: path.stat().st_mtime_ns for path in left} == {path: times[path] for path in left}
    assert files(output) == files(tmp_path / "whole")
    assert not list(output.rglob(".tmp"))


def entries(output: Path) -> set[Path]:
    return set(output.glob("cache/??/*"))


def test_what_others_write_at_this_moment_is_not_swept_away(tmp_path) -> None:
    staging = tmp_path / files.STAGING
    with files.atomic_writer(str(tmp_path / "file"), str(tmp_path)) as stream:
        stream.write(b"half")
        files.sweep(str(tmp_path))
        assert len(list(staging.iterdir())) == 1
        stream.write(b" and half")
    assert (tmp_path / "file").read_bytes() == b"half and half"
    staging.mkdir(exist_ok=True)
    Path(files.staging_path(str(tmp_path))).write_bytes(b"")  # nobody holds it
    files.sweep(str(tmp_path))
    assert not staging.exists()


def test_a_failed_write_leaves_nothing(tmp_path) -> None:
    def fail() -> None:
        with files.atomic_writer(str(tmp_path / "file"), str(tmp_path)) as stream:
            stream.write(b"half")
            raise ValueError("the work failed")

    with pytest.raises(ValueError, match="the work failed"):
        fail()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line(clips, features, tmp_path, monkeypatch, capsys) -> None:
    """Every write of a cache entry goes to a device that is always full."""
    opened = disk._open_locked

    def full(path: str):
        return open("/dev/full", "wb") if "cache" in path else opened(path)  # noqa: PTH123

    monkeypatch.setattr(disk, "_open_locked", full)
    command = ["build", str(clips / "clip0.mp4"), "--output", str(tmp_path / "o"), *features, "--quiet"]
    assert main(command) == 3
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("favor-data:")]
    assert len(error) == 1
    assert "cannot be written: No space left on device; what is done is kept" in error[0]
    assert not (tmp_path / "o" / "index.parquet").exists()
    monkeypatch.undo()
    assert main(command) == 0
    assert main(["verify", str(tmp_path / "o")]) == 0


def test_two_builds_at_once_on_one_cache_both_complete(clips, features, tmp_path, files) -> None:
    shared = [*features, "--cache", str(tmp_path / "cache")]
    builds = [start(clips, tmp_path / name, shared) for name in ("a", "b")]
    assert [build.wait(300) for build in builds] == [0, 0]
    a, b = files(tmp_path / "a"), files(tmp_path / "b")
    assert a == b
    assert not (tmp_path / "cache" / ".tmp").exists()


def test_a_build_killed_at_its_very_end_is_swept_up_by_the_next(media, features, tmp_path) -> None:
    output = tmp_path / "out"
    build = ["build", str(media / "talk.mp4"), "--output", str(output), *features]
    assert main(build) == 0
    left = f"from storage import files; print(files.staging_path({str(output)!r}))"
    ended = subprocess.run([sys.executable, "-c", left], check=True, capture_output=True, text=True)
    path = Path(ended.stdout.strip())
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"half")
    assert main(build) == 0  # nothing to do
    assert not path.exists()
