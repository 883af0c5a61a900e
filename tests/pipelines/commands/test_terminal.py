"""What a person at a terminal meets: help with examples, typos, a bar of one line."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest

from featurizers.featurizer import Fetch
from featurizers.whisper import download
from pipelines.commands import command
from pipelines.commands.command import main
from pipelines.commands.make import build
from pipelines.commands.make.progress_bar import ProgressBar
from pipelines.commands.make.summary import fitted
from pipelines.commands.parser import EXAMPLES
from pipelines.metrics.progress import Progress
from pipelines.settings import settings

ROOT = Path(__file__).parents[3]


KNOWN = re.findall(r"^  (\w+) ", command.USAGE, re.MULTILINE)


@pytest.mark.parametrize("name", [name for name in KNOWN if name in EXAMPLES])
def test_every_command_helps_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([name, "--help"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert f"example: {EXAMPLES[name]}" in shown
    assert shlex.split(EXAMPLES[name])[:2] == ["favor-data", name]
    for option in re.findall(r"--[\w-]+", EXAMPLES[name]):
        assert f"{option} " in shown
    assert not re.findall(r"--num_workers|--dry_run", shown)  # Beam's are folded away


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["biuld", "a"], "favor-data: unknown command 'biuld': did you mean build?"),
        (["xyzzy"], "favor-data: unknown command 'xyzzy' (--help lists them)"),
        (["build", "a", "--output", "o", "--clip-second", "3"],
         "favor-data: unknown option --clip-second: did you mean --clip-seconds?"),
        (["build", "a", "--output", "o", "--whispr=tiny"],
         "favor-data: unknown option --whispr=tiny: did you mean --whisper?"),
        (["build", "a", "--output", "o", "--limit", "0"], "'0' is not a number of inputs"),
        (["build", "a", "--output", "o", "--limit", "3", "--mirror"], "leave out --limit"),
    ],
)  # fmt: skip
def test_a_typo_is_one_line_that_helps(
    typed: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(typed) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_what_is_fetched_is_said_with_its_size_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "to_fetch", lambda name: Fetch(3_087_371_615, Path("/cache/whisper")))
    asked = settings(output="o", clip="random:vit-b-32", sources=["a"])
    [said] = build._fetched_first(asked)
    assert said.startswith("whisper:large-v2 (the default: --whisper names another): 3.09 GB will be fetched")
    named = settings(output="o", clip="none", whisper="tiny", sources=["a"])
    assert "the default" not in next(build._fetched_first(named))


def test_nothing_is_fetched_for_a_source_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(download, "to_fetch", lambda name: Fetch(3_087_371_615, tmp_path))
    command_ = ["build", str(tmp_path / "none.mp4"), "--output", str(tmp_path / "out"), "--clip", "none"]
    for rehearsed in ([], ["--dry-run"]):
        assert main([*command_, *rehearsed]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line == f"favor-data: {tmp_path}/none.mp4: no such file or folder"
    assert not (tmp_path / "out").exists()


def test_a_summary_fits_the_terminal() -> None:
    told = (
        "this build\n  time      137.6 s: encode clip 85.8 s, encode whisper 31.3 s, wait for decoder 6.3 s"
    )
    shown = fitted(told, 80).splitlines()
    assert max(map(len, shown)) <= 80
    assert shown[0] == "this build"
    assert shown[1].endswith("wait for decoder")
    assert shown[2] == f"{'':12}6.3 s"


BAR = """
import sys, time
from pipelines.commands.make.progress_bar import ProgressBar
from pipelines.metrics.progress import Progress
progress = Progress(sys.argv[1])
with ProgressBar(progress):
    time.sleep(0.8)
    progress.planned(123456.0)
    progress.rejected()
    time.sleep(0.8)
    for _ in range(3):
        progress.done(1000.0)
        time.sleep(0.8)
"""


def test_the_bar_fits_80_columns_and_says_what_it_waits_for(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    path.touch()
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    child = subprocess.Popen(
        [sys.executable, "-c", BAR, path], stderr=theirs, stdout=theirs, cwd=ROOT,
        env={**os.environ, "TERM": "xterm", "COLUMNS": ""},
    )  # fmt: skip
    os.close(theirs)
    seen = bytearray()

    def read() -> None:
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:
                return
            if not part:
                return
            seen.extend(part)

    reader = threading.Thread(target=read)
    reader.start()
    assert child.wait(timeout=60) == 0
    reader.join(timeout=10)
    os.close(ours)
    shown = [line for line in re.split(r"[\r\n]+|\x1b\[A", seen.decode()) if line.strip()]
    assert max(map(len, shown)) <= 80
    assert any(line.startswith("looking at sources") for line in shown)
    assert any("encoders load" in line and "1 rejected" in line for line in shown)
    assert re.search(r"encoding +2%\|.*\| 3000/123456 s \[.*x, 1 rejected\]", shown[-1])


def test_off_a_terminal_it_is_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "progress"
    path.touch()
    progress = Progress(str(path))
    with ProgressBar(progress):
        progress.planned(200.0)
        progress.done(50.0)
        time.sleep(0.01)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("favor-data: encoding, 0 s: 25 %, 50 of 200 media-seconds, about")
