"""Speech whose words, and whose onsets, are known; and sounds without any."""

from __future__ import annotations

import ctypes
import ctypes.util
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.flashes import Waveform
from decoders.clips import decode_clips
from schemas.grid import SAMPLE_RATE, Grid, Span
from schemas.media import ClipRequest

SPEECH = Path(__file__).parents[2] / "demo" / "media" / "speech"
SENTENCES = (
    "the weather was cold and the river had frozen before the end of november",
    "she opened the letter slowly and read every line of it twice",
    "nobody in the village could remember a longer or a harder winter",
    "after dinner the children walked along the shore to look for shells",
    "the train leaves at seven in the morning and arrives late at night",
    "my brother has bought a small house with a garden near the station",
    "please put the books back on the shelf when you have finished",
    "there were seven ships in the harbour and all of them were empty",
    "the doctor told him to rest for a week and to drink more water",
    "we have been waiting for an answer since the beginning of the month",
)


@dataclass(frozen=True)
class Spoken:
    """float32 [n] at 16 kHz, its words, and the seconds at which each begins (NaN, or none: not known)."""

    name: str
    sound: Waveform
    text: str
    onsets: tuple[float, ...] = ()

    @property
    def seconds(self) -> float:
        return len(self.sound) / SAMPLE_RATE


def recorded() -> list[Spoken]:
    """The demo's sentences, read for LibriVox."""
    return [
        Spoken(path.stem, _decoded(path), path.with_suffix(".txt").read_text(encoding="utf-8"))
        for path in sorted(SPEECH.glob("*.flac"))
    ]


def _decoded(path: Path) -> Waveform:
    grid = Grid(Span(0, 60_000_000_000))
    [clip] = decode_clips(str(path), [ClipRequest(grid, frames=False, audio=True)], {})
    assert clip.audio is not None
    return np.trim_zeros(clip.audio.waveform, "b")


def joined(parts: list[Spoken], offset: float, gaps: list[float]) -> Spoken:
    """One after another, each after its gap, the first `offset` seconds in."""
    pieces, onsets, at = [], list[float](), 0.0
    for part, gap in zip(parts, [offset, *gaps], strict=True):
        silence = np.zeros(round(gap * SAMPLE_RATE), np.float32)
        at += len(silence) / SAMPLE_RATE
        onsets += [at + onset for onset in part.onsets]
        pieces += [silence, part.sound]
        at += part.seconds
    name = f"{parts[0].name} and {len(parts) - 1} more"
    return Spoken(name, np.concatenate(pieces), " ".join(p.text for p in parts), tuple(onsets))


class Synthesizer:
    """espeak-ng, through its library, which says when each word begins."""

    _RETRIEVAL, _WORD = 1, 1  # AUDIO_OUTPUT_RETRIEVAL, espeakEVENT_WORD

    def __init__(self) -> None:
        name = ctypes.util.find_library("espeak-ng")
        if name is None:
            raise SystemExit("benchmarks.words needs espeak-ng: apt-get install espeak-ng")
        self._library = ctypes.CDLL(name)
        self._rate = self._library.espeak_Initialize(self._RETRIEVAL, 0, None, 0)

    def say(self, text: str, voice: str = "en-us", speed: int = 150, pitch: int = 50) -> Spoken:
        """At 16 kHz."""
        samples: list[npt.NDArray[np.int16]] = []
        onsets: dict[int, float] = {}  # by the place in the text

        class Event(ctypes.Structure):
            _fields_ = (
                ("type", ctypes.c_int),
                ("unique_identifier", ctypes.c_uint),
                ("text_position", ctypes.c_int),
                ("length", ctypes.c_int),
                ("audio_position", ctypes.c_int),  # milliseconds
                ("sample", ctypes.c_int),
                ("user_data", ctypes.c_void_p),
                ("id", ctypes.c_uint64),
            )

        kind = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event)
        )

        def heard(wave: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[Event]) -> int:
            if count:
                samples.append(np.ctypeslib.as_array(wave, (count,)).copy())
            at = 0
            while events[at].type:
                if events[at].type == self._WORD:
                    onsets[events[at].text_position - 1] = events[at].audio_position / 1000
                at += 1
            return 0

        callback = kind(heard)
        self._library.espeak_SetSynthCallback(callback)
        self._library.espeak_SetVoiceByName(voice.encode())
        self._library.espeak_SetParameter(1, speed, 0)
        self._library.espeak_SetParameter(3, pitch, 0)
        content = text.encode() + b"\0"
        self._library.espeak_Synth(content, len(content), 0, 0, 0, 1, None, None)
        self._library.espeak_Synchronize()
        sound = np.concatenate(samples).astype(np.float32) / np.float32(32768)
        begins = [0, *(at + 1 for at, letter in enumerate(text) if letter == " ")]
        known = tuple(onsets.get(place, math.nan) for place in begins)  # "of it" may be one word to espeak
        return Spoken(f"{voice}, {speed} words a minute", _resampled(sound, self._rate), text, known)


def _resampled(sound: Waveform, rate: int) -> Waveform:
    import torch
    import torchaudio

    made: Waveform = torchaudio.functional.resample(torch.from_numpy(sound), rate, SAMPLE_RATE).numpy()
    return made


def repeating(seconds: float = 120) -> Spoken:
    """One sentence again and again."""
    said = Synthesizer().say(SENTENCES[5])
    count = round(seconds / (said.seconds + 0.5))
    return joined([said] * count, 0.5, [0.5] * (count - 1))


def wordless(seconds: float = 120) -> dict[str, Waveform]:
    """Sounds in which nobody speaks."""
    noise = np.random.default_rng(0)
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    white = noise.normal(0, 1, len(time))
    spectrum = np.fft.rfft(white)
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    pink = np.fft.irfft(spectrum, len(time))
    scale = 220 * 2 ** (noise.choice([0, 2, 4, 5, 7, 9, 11, 12], int(seconds * 2)) / 12)
    notes = np.repeat(scale, SAMPLE_RATE // 2)[: len(time)]
    tones = sum(np.sin(2 * np.pi * notes * part * time) / part for part in (1, 2, 3, 4))
    chords = sum(np.sin(2 * np.pi * notes / 2 * part * time) for part in (1, 1.25, 1.5))
    short = time[: int(0.4 * SAMPLE_RATE)]
    silence = np.zeros(int(4.6 * SAMPLE_RATE))
    beeps = np.concatenate([np.sin(2 * np.pi * 880 * short), silence] * int(seconds / 5))
    knocks = np.concatenate([white[: len(short)] * np.exp(-20 * short), silence] * int(seconds / 5))
    sounds = {
        "silence": 0 * time,
        "white noise, -60 dB": 1e-3 * white,
        "white noise, -40 dB": 1e-2 * white,
        "white noise, -20 dB": 1e-1 * white,
        "pink noise": 0.1 * pink / pink.std(),
        "music": 0.08 * (tones + 0.5 * chords) * np.exp(-2 * (time % 0.5)),
        "hum": 0.1 * np.sin(2 * np.pi * 50 * time) + 0.03 * np.sin(2 * np.pi * 150 * time),
        "0.4 s of a beep every 5 s": 0.3 * beeps,
        "0.4 s of a knock every 5 s": 0.3 * knocks,
    }
    return {name: sound.astype(np.float32) for name, sound in sounds.items()}
