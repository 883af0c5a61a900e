"""An animated GIF is a video without sound; named as an image, it is its first frame."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.commands.command import main
from tests.pipelines.conftest import ffmpeg, manifest, pictures


@pytest.fixture
def animation(tmp_path: Path) -> Path:
    path = tmp_path / "animation.gif"
    ffmpeg(*pictures(2.0, 5), str(path))
    return path


def test_what_an_animation_becomes(
    animation: Path, features: list[str], tmp_path: Path, read_samples: Callable
) -> None:
    rows = {"id": "motion", "media": str(animation)}, {"id": "first", "image": str(animation)}
    table = manifest(tmp_path / "m.jsonl", *rows)
    assert main(["build", str(table), "--output", str(tmp_path / "o"), *features]) == 0
    samples = read_samples(tmp_path / "o")
    motion, first = (json.loads(samples[name]["json"]) for name in ("motion", "first"))
    assert (list(motion["media"]), motion["frame_times"]) == (["video"], [0.2, 0.6, 1.2, 1.6])
    assert (list(first["media"]), first["frame_times"]) == (["image"], [0.0])
