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
    assert energy.argmax() == clip.step
    assert energy[clip.step] > 5 * np.delete(energy, clip.step).max()


def test_the_manifest_says_what_sounds_and_what_is_shown(folder):
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    assert len(rows) == 3 + 1 + 3
    for row in rows:
        ((asked, answered),) = row["conversations"]
        assert (asked["from"], answered["from"]) == ("human", "gpt")
        sound, colour = answered["value"].split()
        assert sound in SOUNDS
        assert colour in COLOURS
    assert Counter("audio" in row for row in rows) == {False: 4, True: 3}
    assert not any(Path(row.get("audio", "")).name.startswith("test") for row in rows)


def test_a_pair_is_asked_for_the_pictures_colour_at_the_sounds_step():
    pictures = Clip("a", ("red", "green", "blue", "yellow", *["red"] * 6), "bell", 0, 0)
    sounds = Clip("b", ("green",) * STEPS, "drum", 3, 1)
    assert conversation(pictures, sounds)[1]["value"] == "drum yellow"
    assert conversation(sounds, pictures)[1]["value"] == "bell green"
