"""Sound shifted against pictures that strike: the shift is found; without evidence nothing is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.signals.__main__ import film, shifted, under
from benchmarks.signals.clips import clips, render
from signals.signal import Film
from signals.together.av_confidence import SIGNAL as CONFIDENCE
from signals.together.av_offset import SIGNAL as OFFSET
from signals.together.offset import LEAST_CONFIDENCE, UNKNOWN, offset

CLIPS = {clip.name: clip for clip in clips(1)}


def taken(name: str, folder: Path) -> Film:
    return film(render(CLIPS[name], folder / "clip.mp4"))


@pytest.mark.parametrize("name", ["flash 0", "strike 0", "strike, camera moves 0", "bounce 0"])
def test_the_shift_that_was_made_is_found(name: str, tmp_path: Path) -> None:
    clip = taken(name, tmp_path)
    for made in (-320, -80, 0, 160, 400):
        told = offset(shifted(clip, made))
        assert told.ms == pytest.approx(made, abs=100), made
        assert told.confidence
        assert told.confidence >= LEAST_CONFIDENCE


@pytest.mark.parametrize(
    "name", ["talk, other voice 0", "strike, other sound 0", "voice over a photograph 0"]
)
def test_what_does_not_belong_is_not_told(name: str, tmp_path: Path) -> None:
    clip = taken(name, tmp_path)
    for made in (-240, 0, 240):
        assert offset(shifted(clip, made)).ms is None


def test_silence_a_still_picture_and_a_short_stretch_say_nothing(tmp_path: Path) -> None:
    clip = taken("flash 0", tmp_path)
    assert clip.sound is not None
    short = clip.times_s < 3.5
    still = np.broadcast_to(clip.frames[:1], clip.frames.shape)
    for nothing in (
        under(clip, np.zeros_like(clip.sound.waveform)),
        replace(clip, frames=still),
        replace(clip, frames=clip.frames[short], times_s=clip.times_s[short]),
        replace(clip, frames=clip.frames[:0], times_s=clip.times_s[:0]),
        replace(clip, sound=None),
    ):
        assert offset(nothing) == UNKNOWN
        for signal in (OFFSET, CONFIDENCE):
            assert signal.of_film
            assert signal.of_film(nothing).value is None
