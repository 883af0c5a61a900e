"""Cuts between photographs over which a camera moves: where they are is known."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from signals.picture.cuts import SIGNAL
from tests.signals.conftest import H264, Make, of, seen

PICTURES = sorted((Path(__file__).parents[3] / "demo" / "media" / "pictures").glob("*.jpg"))


def shots(make: Make, lengths: list[float], seed: int) -> Path:
    """A film of shots of these lengths, in seconds."""
    chosen = random.Random(seed)
    inputs: list[str] = []
    chain = ""
    last = None
    for number, seconds in enumerate(lengths):
        last = chosen.choice([one for one in PICTURES if one != last])
        inputs += ["-loop", "1", "-framerate", "25", "-t", str(seconds), "-i", str(last)]
        x, y = (
            f"{chosen.randint(0, far)}+t*{chosen.randint(0, speed)}" for far, speed in ((40, 25), (20, 8))
        )
        move = f"crop=320:240:x='{x}':y='{y}'"
        chain += f"[{number}]scale=640:480,{move},setsar=1[s{number}];"
    chain += "".join(f"[s{number}]" for number in range(len(lengths))) + f"concat=n={len(lengths)}[out]"
    return make(f"{seed}.mp4", *inputs, "-filter_complex", chain, "-map", "[out]", *H264)


@pytest.mark.parametrize("seed", range(4))
def test_the_cuts_are_where_the_shots_meet(make: Make, seed: int) -> None:
    chosen = random.Random(100 + seed)
    lengths = [chosen.randint(3, 9) / 2 for _ in range(8)]
    found = of(SIGNAL, seen(shots(make, lengths, seed))).value
    assert isinstance(found, list)
    expected = [sum(lengths[: number + 1]) for number in range(len(lengths) - 1)]
    missed = [at for at in expected if min((abs(at - one) for one in found), default=9) > 0.5]
    invented = [one for one in found if min(abs(at - one) for at in expected) > 0.5]
    assert not missed
    assert not invented


@pytest.mark.parametrize(
    "source", ["testsrc2=s=320x240:r=25", "mandelbrot=s=320x240:r=25", "gradients=s=320x240:r=25:speed=0.05"]
)
def test_one_shot_that_moves_has_none(make: Make, source: str) -> None:
    path = make("one.mp4", "-f", "lavfi", "-i", source, "-t", "10", *H264)
    assert of(SIGNAL, seen(path)).value == []
