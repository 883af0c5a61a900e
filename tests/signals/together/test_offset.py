"""Sound shifted against pictures that strike: the shift is found; without evidence nothing is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.signals.__main__ import shifted
from benchmarks.signals.clips import Clip, clips, render
from decoders.dense import Stretch, stretch
from schemas.grid import SECOND_NS, Span
from signals.together.offset import LEAST_CONFIDENCE, offset

CLIPS = {clip.name: clip for clip in clips(1)}


def taken(clip: Clip, folder: Path) -> Stretch:
    return stretch(str(render(clip, folder / "clip.mp4")), Span(0, 10 * SECOND_NS))


@pytest.mark.parametrize(("name", "within_ms"), [("flash 0", 20), ("strike 0", 80)])
def test_the_shift_that_was_made_is_found(name: str, within_ms: float, tmp_path: Path) -> None:
    clip = taken(CLIPS[name], tmp_path)
    for made in (-80, 0, 160, 320):
        told = offset(shifted(clip.waveform, made), clip.frames, clip.times_s)
        assert told.ms == pytest.approx(made, abs=within_ms)
        assert told.confidence >= LEAST_CONFIDENCE


@pytest.mark.parametrize("name", ["talk, other voice 0", "strike, other sound 0"])
def test_what_does_not_belong_is_not_told(name: str, tmp_path: Path) -> None:
    clip = taken(CLIPS[name], tmp_path)
    for made in (-240, 0, 240):
        assert offset(shifted(clip.waveform, made), clip.frames, clip.times_s).ms is None


def test_silence_a_still_picture_and_a_short_stretch_say_nothing(tmp_path: Path) -> None:
    clip = taken(CLIPS["flash 0"], tmp_path)
    still = np.broadcast_to(clip.frames[:1], clip.frames.shape)
    short = clip.times_s < 3.5
    for wave, frames, times in (
        (np.zeros_like(clip.waveform), clip.frames, clip.times_s),
        (clip.waveform, still, clip.times_s),
        (clip.waveform, clip.frames[short], clip.times_s[short]),
        (clip.waveform, clip.frames[:0], clip.times_s[:0]),
    ):
        told = offset(wave, frames, times)
        assert told.ms is None
        assert told.confidence == 0
