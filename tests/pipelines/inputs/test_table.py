"""Every kind of sample under every rule for its frames: pairwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from pipelines.commands.command import main
from tests.pipelines.conftest import manifest

TOKENS = {"cls": 1, "patch": 16, "pool:2x2": 4, "all": 17}
FRAME_AT = ("center", "start", "favor")
FITS = ("crop", "squash", "favor")
# Each two of (frame_at, fit), (frame_at, tokens), (fit, tokens) once at least.
ROWS = [
    (frame_at, FITS[(row + column) % 3], tokens)
    for row, frame_at in enumerate(FRAME_AT)
    for column, tokens in enumerate(TOKENS)
]


@pytest.mark.parametrize(("frame_at", "fit", "tokens"), ROWS)
def test_every_kind_of_sample(
    frame_at: str, fit: str, tokens: str, media: Path, clip: str, tmp_path: Path, read_samples: Callable
) -> None:
    still, voice = str(media / "still.png"), str(media / "voice.opus")
    table = manifest(
        tmp_path / "m.jsonl",
        {"id": "video", "media": str(media / "talk.mp4"), "start": 0, "end": 2},
        {"id": "sound", "media": voice},
        {"id": "image", "media": still},
        {"id": "image and sound", "image": still, "audio": voice},
        {"id": "pair", "video": str(media / "silent.ogv"), "audio": voice},
    )
    options = ["--whisper", "none", "--clip", clip, "--frame-at", frame_at, "--fit", fit]
    command = ["build", str(table), "--output", str(tmp_path / "o"), *options, "--clip-tokens", tokens]
    assert main([*command, "--keep", "frames", "--dtype", "float32"]) == 0
    samples = read_samples(tmp_path / "o")
    assert set(samples) == {"video", "sound", "image", "image and sound", "pair"}
    for name, members in samples.items():
        record = json.loads(members["json"])
        pictures = [member for member in members if member.endswith(".jpg")]
        if name == "sound":
            assert not pictures
            assert "clip.npy" not in members
            continue
        array = np.load(BytesIO(members["clip.npy"]))
        own = frame_at == "favor"  # two frames a second of the video's, whatever the sound's length
        steps = 1 if name.startswith("image") else len(record["visual_mask"]) if own else record["steps"]
        assert array.shape == (steps, TOKENS[tokens], 16)
        assert len(pictures) == (1 if name.startswith("image") else sum(record["visual_mask"]))
    moving = json.loads(samples["video"]["json"])
    times = {"center": [0.24, 0.72, 1.24, 1.72], "start": [0, 0.48, 1, 1.48], "favor": [0, 0.96, 1, 1.96]}
    assert moving["frame_times"] == times[frame_at]
