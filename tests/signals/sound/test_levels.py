"""Levels of tones and noise that are known, and FFmpeg's own meters beside ours."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from signals.sound.clipping import SIGNAL as CLIPPING
from signals.sound.loudness import SIGNAL as LOUDNESS
from signals.sound.peak import SIGNAL as PEAK
from signals.sound.rms import SIGNAL as RMS
from signals.sound.silence import SIGNAL as SILENCE
from tests.signals.conftest import Make, ffmpeg, heard, number, of, said

SPEECH = Path(__file__).parents[3] / "demo" / "media" / "speech" / "sense_and_sensibility_0880.flac"


def tone(hertz: int, amplitude: float, seconds: float = 6, rate: int = 48_000) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"aevalsrc='{amplitude}*sin(2*PI*{hertz}*t)':s={rate}:d={seconds}")


@pytest.mark.parametrize("amplitude", [0.9, 0.1, 0.001])
@pytest.mark.parametrize(("name", "rate"), [("tone.wav", 48_000), ("tone.flac", 44_100)])
def test_a_tones_level_is_known(make: Make, amplitude: float, name: str, rate: int) -> None:
    sound = heard(
        make(name, *tone(440, amplitude, rate=rate), "-sample_fmt", "s32" if "flac" in name else "s16")
    )
    peak = 20 * math.log10(amplitude)
    tolerance = 0.1 if amplitude > 0.01 else 0.3  # 16 bits: quantisation
    assert number(RMS, sound) == pytest.approx(peak - 3.0103, abs=tolerance)
    assert number(PEAK, sound) == pytest.approx(peak, abs=2 * tolerance)
    series = of(RMS, sound).series
    assert series is not None
    assert series == pytest.approx(np.full(12, peak - 3.0103), abs=2 * tolerance)


def test_a_louder_half_is_seen_in_the_series(make: Make) -> None:
    source = "aevalsrc='if(lt(t,3),0.5,0.05)*sin(2*PI*500*t)':s=16000:d=6"
    sound = heard(make("halves.wav", "-f", "lavfi", "-i", source))
    series = of(RMS, sound).series
    assert series is not None
    assert series[:6] == pytest.approx(np.full(6, -9.03), abs=0.1)
    assert series[6:] == pytest.approx(np.full(6, -29.03), abs=0.1)


def test_a_track_that_starts_late_is_measured_where_it_is(make: Make) -> None:
    picture = ("-f", "lavfi", "-i", "color=gray:s=64x64:d=6:r=10")
    late = make("late.mkv", *picture, "-itsoffset", "3", *tone(440, 0.5, 3), "-c:a", "flac")
    sound = heard(late)
    assert sound.mask.tolist() == [0] * 6 + [1] * 6
    assert number(RMS, sound) == pytest.approx(-9.03, abs=0.1)
    assert number(SILENCE, sound) == 0


@pytest.mark.parametrize(
    "source",
    [
        "aevalsrc='0.2*sin(2*PI*1000*t)':s=48000:d=8",
        "aevalsrc='0.4*sin(2*PI*100*t)':s=48000:d=8",
        "aevalsrc='0.3*sin(2*PI*5000*t)*gt(t,4)':s=48000:d=8",
        "anoisesrc=color=pink:amplitude=0.3:d=8:seed=7:r=48000,lowpass=f=5000,lowpass=f=5000",
        f"amovie={SPEECH},volume=0.5,apad=pad_dur=5",
    ],
)
def test_loudness_is_what_ffmpegs_meter_says(make: Make, source: str) -> None:
    path = make("meter.wav", "-f", "lavfi", "-i", source)
    meter = ffmpeg("-i", str(path), "-af", "ebur128", "-f", "null", "-")
    [expected] = said(r"I:\s+(-[\d.]+) LUFS", meter.rpartition("Summary")[2])
    assert number(LOUDNESS, heard(path)) == pytest.approx(expected, abs=0.2)


def test_what_cannot_be_heard_has_no_loudness(make: Make) -> None:
    assert of(LOUDNESS, heard(make("faint.wav", *tone(1000, 0.00015)))).value is None
    assert of(LOUDNESS, heard(make("short.wav", *tone(1000, 0.5, 0.3)))).value is None


@pytest.mark.parametrize("rate", [48_000, 16_000])
@pytest.mark.parametrize("gain", [1.5, 3.0, 8.0])
def test_a_clipped_tones_share_is_known(make: Make, gain: float, rate: int) -> None:
    source = f"aevalsrc='clip({gain}*sin(2*PI*150*t),-1,1)':s={rate}:d=4"
    share = 1 - 2 / math.pi * math.asin(1 / gain)
    sound = heard(make("clipped.wav", "-f", "lavfi", "-i", source))
    assert number(CLIPPING, sound) == pytest.approx(share, abs=0.05)


def test_what_is_not_clipped_is_not_called_so(make: Make) -> None:
    assert number(CLIPPING, heard(make("loud.wav", *tone(440, 0.95)))) == 0
    assert number(CLIPPING, heard(SPEECH)) == 0
    assert number(CLIPPING, heard(make("low.wav", *tone(100, 1.0)))) < 0.1


@pytest.mark.parametrize("share", [0.0, 0.25, 0.9])
@pytest.mark.parametrize("codec", ["pcm_s16le", "aac"])
def test_the_share_of_silence_is_known(make: Make, share: float, codec: str) -> None:
    source = f"aevalsrc='0.3*sin(2*PI*300*t)*gt(mod(t,2),{2 * share})':s=48000:d=10"
    sound = heard(make("gaps.mkv", "-f", "lavfi", "-i", source, "-c:a", codec))
    assert number(SILENCE, sound) == pytest.approx(share, abs=0.02)
