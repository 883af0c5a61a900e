"""Whose fault it is decides how a build ends: a row, one line and 2, one line and 3, one line and 4."""

from __future__ import annotations

import errno
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from decoders.processes import pool as pool_module
from decoders.processes import zygote
from featurizers.vision.encoder import VisionEncoder
from pipelines.commands.command import main
from pipelines.jobs import faults
from pipelines.storage import reading
from schemas.reasons import MachineError
from storage.errors import StorageError

from ..conftest import manifest

PROGRESS = re.compile(r"favor-data: (looking at|decoding;|encoding)")


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line, beside those of progress."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("favor-data:")]
    lines = [line for line in lines if not PROGRESS.match(line)]
    assert len(lines) == 1, lines
    return lines[0]


def settled(output: Path) -> dict[str, str]:
    rows = pd.read_parquet(output / "ledger.parquet")
    return {
        Path(row.input).name: row.status if row.status == "done" else row.reason for row in rows.itertuples()
    }


@pytest.fixture
def folder(media: Path, tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for name in ("silent.ogv", "transport.ts"):
        shutil.copy2(media / name, tmp_path / "in")
    return tmp_path / "in"


def no_fork(patch: pytest.MonkeyPatch) -> None:
    def fork(*arguments: Any, **named: Any) -> Any:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    patch.setattr(pool_module, "PAUSES_S", (0.0,))
    patch.setattr(zygote.Zygote, "fork", fork)


def broken_gpu(patch: pytest.MonkeyPatch) -> None:
    def encode(*arguments: Any) -> Any:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    patch.setattr(VisionEncoder, "encode", encode)


def bad_disk(patch: pytest.MonkeyPatch) -> None:
    def digest(*arguments: Any) -> Any:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    patch.setattr(reading.hashlib, "file_digest", digest)


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (no_fork, "Resource temporarily unavailable"),
        (broken_gpu, "illegal memory access"),
        (bad_disk, "Input/output error"),
    ],
)
def test_what_is_no_inputs_fault_is_3_and_settles_nothing(
    fault: Any, line: str, folder: Path, features: list[str], tmp_path: Path, capsys: Any
) -> None:
    command = ["build", str(folder), "--output", str(tmp_path / "out"), *features]
    with pytest.MonkeyPatch.context() as patch:
        fault(patch)
        assert main(command) == 3
    assert line in said(capsys)
    assert not (tmp_path / "out" / "ledger.parquet").exists()
    assert main(command) == 0
    assert settled(tmp_path / "out") == {"silent.ogv": "done", "transport.ts": "done"}


def test_a_folder_that_vanishes_is_the_storages_fault(
    folder: Path, features: list[str], tmp_path: Path, capsys: Any
) -> None:
    """While the build runs, and before the next one begins."""
    table = manifest(tmp_path / "m.jsonl", *({"media": f"in/{path.name}"} for path in folder.iterdir()))
    command = ["build", str(table), "--output", str(tmp_path / "out"), *features]
    real = reading.Copy.sha256

    def vanish(copy: reading.Copy) -> str:
        with suppress(FileNotFoundError):  # files are read side by side: another was first
            folder.rename(tmp_path / "away")
        return real(copy)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading.Copy, "sha256", vanish)
        assert main(command) == 3
    assert "its folder was there" in said(capsys)
    assert not (tmp_path / "out" / "ledger.parquet").exists()
    (tmp_path / "away").rename(folder)
    assert main(command) == 0
    capsys.readouterr()
    folder.rename(tmp_path / "away")
    for sources in ([str(table)], [str(folder)], [str(folder / "*")]):
        expected = 3 if sources == [str(table)] else 2
        assert main(["build", *sources, "--output", str(tmp_path / "out"), *features]) == expected
        said(capsys)
    assert settled(tmp_path / "out") == {"m.jsonl:1": "done", "m.jsonl:2": "done"}


def test_a_source_that_was_never_there_is_2_and_writes_nothing(
    folder: Path, features: list[str], tmp_path: Path, capsys: Any
) -> None:
    output = tmp_path / "out"
    for source in (folder / "typo.mp4", tmp_path / "typo", tmp_path / "typo.jsonl"):
        assert main(["build", str(folder), str(source), "--output", str(output), *features]) == 2
        assert said(capsys).startswith(f"favor-data: {source}: no such file or folder")
    assert not output.exists()
    assert main(["build", str(folder), str(folder / "silent.ogv"), "--output", str(output), *features]) == 0
    capsys.readouterr()
    (folder / "silent.ogv").unlink()
    assert main(["build", str(folder / "silent.ogv"), "--output", str(output), *features]) == 3
    assert "the corpus holds of it" in said(capsys)


def test_too_many_rejected_is_4_after_the_commit(
    folder: Path, features: list[str], tmp_path: Path, capsys: Any
) -> None:
    (folder / "empty.mp4").touch()
    command = ["build", str(folder), "--output", str(tmp_path / "out"), *features, "--max-rejected"]
    assert main([*command, "33%"]) == 4
    line = said(capsys)
    assert "33.3 % of 3 inputs were rejected" in line
    assert "empty_file 1" in line
    assert settled(tmp_path / "out")["silent.ogv"] == "done"
    assert main([*command, "34"]) == 0  # and the same of what is settled
    for wrong in ("many", "-1", "101%"):
        assert main([*command, wrong]) == 2


@pytest.mark.parametrize("kind", [StorageError, MachineError])
def test_a_fault_is_known_by_its_type_also_as_text_of_another_process(kind: type[Exception]) -> None:
    def account(error: Exception) -> str:
        import traceback

        return "Error processing instruction 7.\n" + "".join(traceback.format_exception(error))

    told = kind("s3://b/x: gone [while running 'Decode']")
    for error in (told, RuntimeError(account(told))):
        fault = faults.of(error)
        assert type(fault) is kind
        assert str(fault) == "s3://b/x: gone"
    other = RuntimeError(account(ValueError("no storage.errors.StorageError: at all")))
    assert faults.of(other) is None
