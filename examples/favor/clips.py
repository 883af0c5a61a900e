"""Clips that only alignment can read: each half second has a colour, and in one of them something sounds.

    step     0      1      2      3      4      5      6      7      8      9       0.5 s each
    picture  red    blue   blue   green  yellow red    green  blue   red    yellow  drawn at random
    sound                                drum                                       one kind of three
    question "what sounds , and which colour is shown meanwhile ?"  answer "drum yellow"

Colours of different steps are independent: who looks at another step than the sound's guesses, one in four.

    python -m examples.favor.clips FOLDER
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from schemas.grid import SAMPLE_RATE, SAMPLES_PER_STEP

COLOURS = {"red": (200, 40, 40), "green": (40, 180, 60), "blue": (40, 60, 210), "yellow": (220, 210, 50)}
SOUNDS = ("bell", "drum", "whistle")
QUESTION = "what sounds , and which colour is shown meanwhile ?"
STEPS = 10
_SIZE, _FRAMES_PER_STEP = 64, 5

Waveform = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """What one clip shows and when it sounds: `colours` a step; `sound` is heard in `step`."""

    name: str
    colours: tuple[str, ...]
    sound: str
    step: int
    seed: int

    @classmethod
    def draw(cls, name: str, seed: int) -> Clip:
        random = np.random.default_rng(seed)
        colours = tuple(random.choice(list(COLOURS), STEPS).tolist())
        return cls(name, colours, str(random.choice(SOUNDS)), int(random.integers(STEPS)), seed)


def conversation(pictures: Clip, sounds: Clip) -> list[dict[str, str]]:
    """What is asked and answered when one clip's pictures run with another's sound."""
    answer = f"{sounds.sound} {pictures.colours[sounds.step]}"
    return [{"from": "human", "value": QUESTION}, {"from": "gpt", "value": answer}]


def write_clips(folder: Path, counts: dict[str, int], pairings: int, seed: int = 0) -> Path:
    """Renders `counts` (split -> clips) as H.264 with AAC in mp4; returns the manifest.

    Its rows are every clip as it is, and for training also its pictures with the sound of `pairings` other
    clips: more to learn from, and not one more frame or sound to encode.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "manifest.jsonl"
    names = [f"{split}-{number:04d}" for split, count in counts.items() for number in range(count)]
    clips = [Clip.draw(name, seed * 1_000_003 + number) for number, name in enumerate(names)]
    training = [clip for clip in clips if clip.name.startswith("train")]
    pairs = [(clip, clip) for clip in clips]
    for distance in range(1, pairings + 1):
        pairs += [(clip, training[(at + distance) % len(training)]) for at, clip in enumerate(training)]
    paths = {clip.name: (folder / f"{clip.name}.mp4").absolute() for clip in clips}
    for clip in clips:
        if not paths[clip.name].exists():
            render(clip, paths[clip.name])
    with manifest.open("w", encoding="utf-8") as stream:
        for pictures, sounds in pairs:
            row: dict[str, object] = {"id": pictures.name, "media": str(paths[pictures.name])}
            if sounds is not pictures:
                row = {"video": str(paths[pictures.name]), "audio": str(paths[sounds.name])}
                row["id"] = f"{pictures.name}-with-{sounds.name}"
            stream.write(json.dumps({**row, "conversations": [conversation(pictures, sounds)]}) + "\n")
    return manifest


def render(clip: Clip, path: Path) -> None:
    random = np.random.default_rng([clip.seed, 1])
    partial = path.with_suffix(".part")
    with av.open(str(partial), "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=2 * _FRAMES_PER_STEP)
        video.width, video.height, video.pix_fmt = _SIZE, _SIZE, "yuv420p"
        video.options = {"preset": "ultrafast"}
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        for number in range(STEPS * _FRAMES_PER_STEP):
            colour = np.array(COLOURS[clip.colours[number // _FRAMES_PER_STEP]])
            noisy = colour + random.normal(0, 12, (_SIZE, _SIZE, 3))
            picture = av.VideoFrame.from_ndarray(noisy.clip(0, 255).astype(np.uint8), format="rgb24")
            container.mux(video.encode(picture))
        container.mux(video.encode())
        sound = av.AudioFrame.from_ndarray(waveform(clip, random)[None], format="fltp", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
        container.mux(audio.encode(sound))
        container.mux(audio.encode())
    partial.rename(path)


def waveform(clip: Clip, random: np.random.Generator) -> Waveform:
    """float32 [STEPS * 8000]: faint noise, and the sound inside its step."""
    track = random.normal(0, 0.003, STEPS * SAMPLES_PER_STEP)
    sound = _sound(clip.sound, random)
    start = clip.step * SAMPLES_PER_STEP + int(random.integers(200, 1200))
    track[start : start + len(sound)] += sound
    return track.astype(np.float32)


def _sound(name: str, random: np.random.Generator) -> npt.NDArray[np.float64]:
    time = np.arange(int(0.4 * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = random.uniform(0.94, 1.06)
    match name:
        case "bell":
            partials = [np.sin(2 * np.pi * pitch * hertz * time) for hertz in (880, 1320, 2217)]
            return np.asarray(0.15 * sum(partials) * np.exp(-6 * time))
        case "drum":
            thump = np.sin(2 * np.pi * pitch * 90 * time) + 0.3 * random.normal(size=len(time))
            return np.asarray(0.5 * thump * np.exp(-12 * time))
        case _:
            rising = 2 * np.pi * pitch * (1500 * time + 2500 * time**2)
            return np.asarray(0.25 * np.sin(rising) * np.sin(np.pi * time / 0.4))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.favor.clips", description="Makes up clips.")
    parser.add_argument("folder", type=Path, help="for the clips and their manifest.jsonl")
    parser.add_argument("--train", type=int, default=12, help="clips to learn from (%(default)s)")
    parser.add_argument("--test", type=int, default=4, help="and to be asked about, test-… (%(default)s)")
    parser.add_argument("--pairings", type=int, default=1, help="other clips' sound each runs with, too")
    options = parser.parse_args()
    print(write_clips(options.folder, {"train": options.train, "test": options.test}, options.pairings))


if __name__ == "__main__":
    main()
