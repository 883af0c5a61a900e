"""The made-up clips show and sound what their conversations say, as ffmpeg sees them."""

import json
import subprocess
from collections import Counter
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from examples.favor.clips import COLOURS, SOUNDS, STEPS, Clip, conversation, write_clips


def decoded(path, *output):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), *output, "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    write_clips(folder, {"train": 3, "test": 1}, pairings=1, seed=4)
    return folder


def test_colours_and_sounds_are_where_they_should_be(folder):
    clip = Clip.draw("train-0001", 4 * 1_000_003 + 1)
    path = folder / "train-0001.mp4"
    raw = decoded(path, "-vf", "scale=1:1", "-f", "rawvideo", "-pix_fmt", "rgb24")
    frames = np.frombuffer(raw, np.uint8).reshape(STEPS, 5, 3).mean(1)
    names = list(COLOURS)
    distances = np.linalg.norm(frames[:, None] - np.array([COLOURS[name] for name in names]), axis=2)
    assert [names[nearest] for nearest in distances.argmin(1)] == list(clip.colours)

    sound = np.frombuffer(decoded(path, "-f", "f32le", "-ac", "1", "-ar", "16000"), np.float32)
    energy = np.square(sound[: STEPS * 8000].reshape(STEPS, 8000)).mean(1)
    assert set(np.argsort(energy)[-len(SOUNDS) :].tolist()) == set(clip.sounds.values())


def test_the_manifest_asks_about_every_sound_once(folder):
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    assert len(rows) == 3 + 1 + 3
    for row in rows:
        (turns,) = row["conversations"]
        assert [turn["from"] for turn in turns] == ["human", "gpt"] * len(SOUNDS)
        assert {turn["value"] for turn in turns[1::2]} <= set(COLOURS)
    assert Counter("audio" in row for row in rows) == {False: 4, True: 3}
    assert not any(Path(row.get("audio", "")).name.startswith("test") for row in rows)


def test_a_pair_is_asked_for_the_pictures_colours_at_the_sounds_steps():
    pictures = Clip("a", ("red", "green", "blue", "yellow", *["red"] * 5, "blue"), {}, 0)
    sounds = Clip("b", ("green",) * STEPS, {"bell": 1, "drum": 3, "whistle": 9}, 1)
    turns = conversation(pictures, sounds)
    answers = dict(zip((t["value"] for t in turns[::2]), (t["value"] for t in turns[1::2]), strict=True))
    assert sorted(answers.values()) == ["blue", "green", "yellow"]
    assert answers["which colour is shown while the drum sounds ?"] == "yellow"
