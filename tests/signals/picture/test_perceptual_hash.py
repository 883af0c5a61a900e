"""Copies have hashes close by, other pictures have not."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from signals.picture.perceptual_hash import SIGNAL
from tests.signals.conftest import H264, Make, of, seen

PICTURES = sorted((Path(__file__).parents[3] / "demo" / "media" / "pictures").glob("*.jpg"))


def bits(path: Path) -> np.ndarray:
    value = of(SIGNAL, seen(path)).value
    assert isinstance(value, str)
    return np.unpackbits(np.frombuffer(bytes.fromhex(value), np.uint8)).reshape(-1, 256)


def panned(picture: Path, size: str) -> tuple[str, ...]:
    chain = f"scale=960:720,crop=640:480:x='10+t*12':y=20,scale={size}"
    return ("-loop", "1", "-i", str(picture), "-vf", chain, "-t", "3")


@pytest.mark.parametrize("picture", PICTURES, ids=lambda one: one.stem)
def test_a_copy_re_encoded_and_made_smaller_is_close(make: Make, picture: Path) -> None:
    original = bits(make("a.mp4", *panned(picture, "640:480"), *H264, "-crf", "18"))
    copy = bits(make("b.webm", *panned(picture, "320:240"), "-c:v", "libvpx-vp9", "-crf", "45", "-b:v", "0"))
    assert original.shape == (2, 256)
    assert (original != copy).sum(axis=1).max() <= 31


def test_other_pictures_are_far_and_featureless_ones_have_none(make: Make) -> None:
    every = [bits(make(f"{one.stem}.mp4", *panned(one, "320:240"), *H264)) for one in PICTURES]
    assert min((a[0] != b[0]).sum() for a, b in combinations(every, 2)) > 80
    gray = make("gray.mp4", "-f", "lavfi", "-i", "color=gray:s=128x128", "-t", "2", *H264)
    assert of(SIGNAL, seen(gray)).value is None
