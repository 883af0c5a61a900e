"""What cannot work is found before anything runs: one line, exit 2, nothing written."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import torch

from featurizers.whisper.description import untrained_dimensions
from pipelines.commands.command import main

from .test_exits import said


def refused(arguments: list[str], media: Path, output: Path, capsys: Any) -> str:
    assert (
        main(["build", str(media / "still.png"), "--output", str(output), "--dtype", "float32", *arguments])
        == 2
    )
    assert not output.exists()
    return said(capsys)


@pytest.fixture
def spoiled(clip: str, tmp_path: Path) -> Path:
    """A copy of a checkpoint, to be spoiled."""
    return Path(shutil.copytree(clip, tmp_path / "clip"))


def test_tokens_that_the_model_does_not_have(clip: str, media: Path, tmp_path: Path, capsys: Any) -> None:
    arguments = ["--whisper", "none", "--clip", clip, "--clip-tokens", "pool:9x9"]
    assert "has only 4x4 patches" in refused(arguments, media, tmp_path / "out", capsys)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[]"])
@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors.index.json"])
def test_broken_json(
    name: str, content: bytes, spoiled: Path, media: Path, tmp_path: Path, capsys: Any
) -> None:
    if name.endswith("index.json"):
        (spoiled / "model.safetensors").unlink()
    (spoiled / name).write_bytes(content)
    arguments = ["--whisper", "none", "--clip", str(spoiled)]
    assert name in refused(arguments, media, tmp_path / "out", capsys)


def test_weights_that_are_cut_short(spoiled: Path, media: Path, tmp_path: Path, capsys: Any) -> None:
    weights = spoiled / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    line = refused(["--whisper", "none", "--clip", str(spoiled)], media, tmp_path / "out", capsys)
    assert "cannot be read" in line


def test_a_whisper_of_something_else_than_tensors(media: Path, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "whisper.pt"
    dims = untrained_dimensions("tiny.en")
    torch.save({"dims": dims, "model_state_dict": {"encoder.conv1.weight": "none"}}, path)
    line = refused(["--whisper", str(path), "--clip", "none"], media, tmp_path / "out", capsys)
    assert "encoder.conv1.weight is str, not a tensor" in line
    path.write_bytes(path.read_bytes()[:-20])
    refused(["--whisper", str(path), "--clip", "none"], media, tmp_path / "out", capsys)


def test_words_without_a_whisper(clip: str, media: Path, tmp_path: Path, capsys: Any) -> None:
    arguments = ["--whisper", "none", "--clip", clip, "--transcribe"]
    assert "leave out --whisper none" in refused(arguments, media, tmp_path / "out", capsys)


def test_a_runner_that_nobody_knows_or_that_does_not_answer(
    features: list[str], media: Path, tmp_path: Path, capsys: Any
) -> None:
    arguments = [*features, "--runner", "Flinkk"]
    assert "Unexpected pipeline runner: Flinkk" in refused(arguments, media, tmp_path / "out", capsys)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        for runner, option in (("PortableRunner", "--job_endpoint"), ("FlinkRunner", "--flink_master")):
            arguments = [*features, "--runner", runner, option, address]
            line = refused(arguments, media, tmp_path / "out", capsys)
            assert f"{option} {address}: nobody answers there: Connection refused" in line
