"""A folder as the pages want it: `videos/`, and words put in place of those that need a network."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import pytest
import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

from docs.site.blocks import ROOT

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
SPEECH = ROOT / "demo" / "media" / "speech"
# docs/stand-ins.md: what is on the pages -> what is typed.
STAND_INS = dict(
    re.findall(
        r"^\| `(-[^`]+|\w+=[^`]+)` \| `([^`]+)`.*\|$",
        (ROOT / "docs" / "stand-ins.md").read_text(encoding="utf-8").partition("## Elsewhere")[0],
        re.MULTILINE,
    )
)


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips of a voice before moving pictures, and a text under a film's name."""
    folder = tmp_path_factory.mktemp("docs") / "videos"
    folder.mkdir()
    for number, (name, sound) in enumerate({"talk": "0890", "walk": "0880", "cook": "0870"}.items()):
        scene = f"testsrc2=size=160x120:rate=10:duration=6,hue=h={90 * number}"
        command = [
            FFMPEG, "-v", "error", "-nostdin", "-f", "lavfi", "-i", scene,
            "-i", SPEECH / f"sense_and_sensibility_{sound}.flac", "-t", "6", "-pix_fmt", "yuv420p",
            folder / f"{name}.mp4",
        ]  # fmt: skip
        subprocess.run(command, check=True)
    (folder / "notes.mp4").write_text("no film")
    return folder


@pytest.fixture(scope="session")
def small_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(7)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    CLIPVisionModel(CLIPVisionConfig(**shape, image_size=56, patch_size=8)).save_pretrained(folder)
    return folder


@pytest.fixture
def home(videos: Path, small_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody's folder with `videos/`, and a PATH with `favor-data` and `python` as an installed one has."""
    (tmp_path / "videos").mkdir()
    for path in videos.iterdir():
        (tmp_path / "videos" / path.name).hardlink_to(path)
    (tmp_path / "small-clip").symlink_to(small_clip)
    bin_ = tmp_path / ".bin"
    bin_.mkdir()
    for name, arguments in {"python": "", "favor-data": "-m pipelines"}.items():
        (bin_ / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        (bin_ / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(bin_), prepend=":")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stood_in(text: str) -> str:
    """What is typed in place of what the page says."""
    for said, typed in STAND_INS.items():
        text = text.replace(said, typed)
    return text
