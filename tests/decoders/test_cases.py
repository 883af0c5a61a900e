"""Small files that people's tools stumble over, handed out beside this project: what is right is in their
README. Each failed in version 0.1.0; benchmarks/changes makes others of their kinds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.changes.judge import decode, look
from decoders.probe import probe
from decoders.streams.still import decode_image
from schemas.reasons import MediaError, Reason

FOLDERS = [parent / "shared" / "cases" for parent in Path(__file__).parents]
FOLDER = next((folder for folder in FOLDERS if folder.is_dir()), None)
pytestmark = pytest.mark.skipif(FOLDER is None, reason="needs ../shared/cases")


def case(name: str) -> Path:
    assert FOLDER is not None
    return FOLDER / name


def centres(seconds: int, first: float = 0) -> list[int | None]:
    """The number of the frame at each step's centre."""
    steps = [step * 0.5 + 0.25 for step in range(2 * seconds)]
    return [int(25 * time) if time >= first else None for time in steps]


TONES = [float(step // 2) for step in range(24)]
EIGHT = centres(8)
PICTURES: dict[str, tuple[list[int | None] | None, list[float] | None]] = {
    "short_gop.flv": (centres(12), TONES),
    "pal8.avi": ([6, 18], None),
    "gray.mov": ([6, 18], None),
    "nokey_bf0.avi": (centres(6, first=2), TONES[:12]),
    "joined.mp3": (None, TONES[:16]),
    "joined.aac": (None, TONES[:16]),
    "chained.ogg": (None, TONES[:16]),
    "chained.opus": (None, TONES[:16]),
    "joined.ts": (EIGHT, TONES[:16]),
    "joined.mpg": (EIGHT, TONES[:16]),
    "timelapse.mov": (centres(2), None),
    "camera.mjpeg": (centres(2), None),
}


@pytest.mark.parametrize("decoders", [1, 2])
@pytest.mark.parametrize("name", PICTURES)
def test_what_steps_show_and_sound_like(name: str, decoders: int) -> None:
    numbers, seconds = PICTURES[name]
    seen = look(decode(case(name), decoders))
    if numbers is not None:
        assert len(seen.numbers) >= len(numbers)
        for expected, found in zip(numbers, seen.numbers, strict=False):
            assert (expected is None) == (found is None), seen.numbers
            assert expected is None or found is None or abs(expected - found) <= 1, seen.numbers
    if seconds is not None:
        assert seen.seconds[: len(seconds)] == seconds


@pytest.mark.parametrize("name", ["joined.ts", "joined.mpg", "chained.ogg", "chained.opus"])
def test_what_was_joined_is_said(name: str) -> None:
    clip = decode(case(name))
    assert clip.audio is not None
    assert [remark for remark in clip.audio.remarks if remark.startswith("joined@4.0")]


@pytest.mark.parametrize(("name", "size"), [("single.heic", (1024, 768)), ("grid.heic", (768, 512))])
def test_a_photo_is_one_whole_picture(name: str, size: tuple[int, int]) -> None:
    info = probe(str(case(name)))
    assert (info.container, info.image_size, info.video) == ("image", size, None)
    frames = decode_image(str(case(name)), {"rgb": np.copy})
    picture = np.asarray(frames.prepared["rgb"])[0]
    assert picture.shape == (size[1], size[0], 3)
    quarters = [picture[rows, columns].mean() for rows in (slice(200), slice(-200, None))
                for columns in (slice(200), slice(-200, None))]  # fmt: skip
    assert min(quarters) > 10, "a part of it is black"


def test_one_picture_is_held_and_one_frame_is_shown() -> None:
    still = look(decode(case("still.mp4")))
    assert len(set(still.numbers)) == 1
    assert None not in still.numbers
    assert len(still.numbers) == 12
    assert look(decode(case("one_frame.mp4"))).numbers == [5]


def test_a_line_is_no_picture() -> None:
    with pytest.raises(MediaError) as caught:
        probe(str(case("thin_1x1000000.png")))
    assert caught.value.reason == Reason.TOO_LARGE
