"""Speech between silences, and what is none, against the truth and the package's own reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from signals.signal import Sound
from signals.sound.speech import CHUNK, SIGNAL, probabilities
from tests.signals.conftest import Make, heard, number, of

SPEECH = sorted((Path(__file__).parents[3] / "demo" / "media" / "speech").glob("*.flac"))


def test_speech_between_silences_has_its_share(make: Make) -> None:
    spoken = heard(SPEECH[0]).waveform
    wave = np.concatenate([np.zeros(len(spoken), np.float32), spoken, np.zeros(len(spoken), np.float32)])
    sound = Sound(wave, np.ones(-(-len(wave) // 8000), np.uint8))
    found = of(SIGNAL, sound)
    assert number(SIGNAL, sound) == pytest.approx(
        number(SIGNAL, Sound(spoken, sound.mask[:1].repeat(-(-len(spoken) // 8000)))) / 3, abs=0.05
    )
    assert number(SIGNAL, sound) == pytest.approx(1 / 3, abs=0.15)
    assert found.series is not None
    inside = found.series[len(spoken) // 8000 + 1 : 2 * (len(spoken) // 8000)]
    assert np.median(inside) == 1
    assert found.series[: len(spoken) // 8000 - 1].max() == 0


@pytest.mark.parametrize(
    "source",
    [
        "anoisesrc=color=white:amplitude=0.2:d=8:seed=3",
        "anoisesrc=color=pink:amplitude=0.5:d=8:seed=4",
        "aevalsrc='0.4*sin(2*PI*440*t)*(0.5+0.5*sin(2*PI*3*t))':d=8",
        "anullsrc=d=8",
    ],
)
def test_what_is_no_speech_has_none(make: Make, source: str) -> None:
    assert number(SIGNAL, heard(make("noise.wav", "-f", "lavfi", "-t", "8", "-i", source))) < 0.05


def test_lanes_hear_what_the_detector_hears_in_one_piece() -> None:
    import torch
    from silero_vad import load_silero_vad

    wave = np.concatenate([heard(path).waveform for path in SPEECH])
    noisy = wave + np.random.default_rng(5).normal(0, 0.02, wave.size).astype(np.float32)
    model = load_silero_vad()
    for one in (wave, noisy):
        whole = model.audio_forward(torch.from_numpy(one)[None], 16_000)[0].numpy()
        ours = probabilities(one)
        assert len(ours) == -(-one.size // CHUNK)
        assert abs((whole[: len(ours)] >= 0.5).mean() - (ours >= 0.5).mean()) < 0.05
        assert ((whole[: len(ours)] >= 0.5) == (ours >= 0.5)).mean() > 0.97
