"""Frames that are the same once prepared are encoded once, and nobody sees it in the features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from featurizers.running.batches import FixedBatches, Rows
from featurizers.running.sharing import Seen, distinct
from pipelines.commands.command import main
from tests.pipelines.conftest import ffmpeg


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each batch had."""
    numbers: list[int] = []
    batches = FixedBatches._batches

    def count(self: FixedBatches, fresh: Iterator, forward: Callable) -> Iterator:
        for places, batch in batches(self, fresh, forward):
            numbers.append(len(places))
            yield places, batch

    monkeypatch.setattr(FixedBatches, "_batches", count)
    return numbers


def test_a_slide_is_encoded_once_with_the_same_bytes(
    clip: str, encoded: list[int], tmp_path: Path, read_samples: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    slides = "mandelbrot=size=320x240:rate=1/10:start_scale=3:end_scale=0.01:end_pts=3"
    source = str(tmp_path / "slides.mkv")
    # Lossless: what differs is another slide, not the codec's afterthought.
    video = ["-f", "lavfi", "-i", slides, "-r", "10", "-t", "30", "-c:v", "ffv1"]
    ffmpeg(*video, source)
    build = ["build", source, "--whisper", "none", "--clip", clip, "--clip-seconds", "12"]
    assert main([*build, "--output", str(tmp_path / "slides")]) == 0
    assert sum(encoded) == 3  # of 60 steps in three clips, in one call

    def each(rows: Rows) -> tuple[list[int], list[int]]:
        return list(range(len(rows))), list(range(len(rows)))

    monkeypatch.setattr(Seen, "_first", lambda seen, place: place)
    monkeypatch.setattr("pipelines.steps.decode.distinct", each)
    encoded.clear()
    assert main([*build, "--output", str(tmp_path / "every")]) == 0
    assert sum(encoded) == 60
    assert read_samples(tmp_path / "slides") == read_samples(tmp_path / "every")


def test_a_frame_that_comes_back_is_its_first_self() -> None:
    a, b = np.zeros((2, 2, 3), np.uint8), np.ones((2, 2, 3), np.uint8)
    assert distinct([a, b, a, a, b]) == ([0, 1], [0, 1, 0, 0, 1])


def test_a_few_bytes_elsewhere_make_another_row() -> None:
    """A pointer that moves over a slide, also by whole rows and by as much as the sums are wide."""
    rows = [np.zeros((224, 224, 3), np.uint8) for _ in range(9)]
    for number, row in enumerate(rows):
        row.reshape(-1)[512 * number : 512 * number + 9] = 7
    assert distinct([*rows, *rows[::-1]]) == (list(range(9)), [*range(9), *range(8, -1, -1)])
    sounds = [np.zeros(n, np.float32) for n in (1, 2, 100, 480_000)]
    assert distinct(sounds) == ([0, 1, 2, 3], [0, 1, 2, 3])
