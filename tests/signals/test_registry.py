"""Every signal says what it is, and has a ground-truth test and a row in the docs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from signals.registry import frame_transforms, measure, registered
from signals.signal import Kind, Pictures, Signal, Sound

ROOT = Path(__file__).parents[2]
SILENT = Sound(np.zeros(16_000, np.float32), np.zeros(2, np.uint8))


def nothing_seen() -> Pictures:
    made = {
        name: np.zeros((0, *np.shape(make(np.zeros((8, 8, 3), np.uint8)))))
        for name, make in frame_transforms().items()
    }
    return Pictures(0.0, np.full(2, -1, np.int32), made)


@pytest.mark.parametrize("signal", registered(), ids=lambda one: one.name)
def test_a_signal_says_what_it_is_and_is_tested(signal: Signal) -> None:
    ways = {"sound": signal.of_sound, "picture": signal.of_pictures, "together": signal.of_film}
    room, way = next((room, way) for room, way in ways.items() if way)
    assert not (signal.of_sound and (signal.of_pictures or signal.of_film))
    assert all((signal.unit, signal.resolution, signal.tolerance, signal.source))
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "signals").rglob("test_*.py"))
    module = way.__module__
    assert module.startswith(f"signals.{room}.")
    assert module in tests, f"no test imports {module}"
    page = (ROOT / "docs" / "signals.md").read_text()
    for text in (f"`{signal.name}`", signal.unit, signal.resolution, signal.tolerance, signal.source):
        assert text in page


@pytest.mark.parametrize("medium", [SILENT, nothing_seen()], ids=["no sound", "no frame"])
def test_where_there_is_no_medium_nothing_is_measured(medium: Sound | Pictures) -> None:
    values, series = measure(medium)
    assert not series
    assert len(values) >= 6
    assert set(values.values()) == {None}


def test_a_still_image_has_no_motion() -> None:
    picture = np.full((300, 400, 3), 128, np.uint8)
    made = {name: np.stack([np.asarray(make(picture))]) for name, make in frame_transforms().items()}
    values, series = measure(Pictures(0.0, np.zeros(1, np.int32), made, still=True))
    assert values["brightness"] == pytest.approx(128 / 255, abs=1e-6)
    assert {name for name, value in values.items() if value is None} == {
        "cuts",
        "freeze_share",
        "motion",
        "phash",
    }
    assert all(len(one) == 1 for one in series.values())


def test_all_but_two_are_numbers() -> None:
    others = {one.name: one.kind for one in registered() if one.kind is not Kind.NUMBER}
    assert others == {"cuts": Kind.TIMES, "phash": Kind.TEXT}
