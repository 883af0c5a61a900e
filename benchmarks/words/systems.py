"""Who finds words: favor-data, openai-whisper and faster-whisper, on the same float32 weights."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ctranslate2
import torch
import whisper
from faster_whisper import WhisperModel

from benchmarks.flashes import Waveform
from featurizers.registry import load, load_transcriber, resolve
from featurizers.whisper import weights
from featurizers.whisper.description import Transcription, WhisperFeaturizer
from schemas.grid import SAMPLE_RATE
from schemas.words import Transcript

PIECE = 30 * SAMPLE_RATE


@dataclass(frozen=True)
class Said:
    """A word and the seconds at which it begins and ends."""

    word: str
    start: float
    end: float


@dataclass
class System:
    """One of them, and the CPU seconds that it took so far (other programs disturb the clock more)."""

    name: str
    find: Callable[[Waveform], list[Said]]
    seconds: float = 0.0
    lengths: list[float] = field(default_factory=list)
    windows: list[Transcript] = field(default_factory=list)

    def forget(self) -> None:
        """What was heard so far was practice."""
        self.seconds = 0.0
        self.lengths.clear()
        self.windows.clear()

    def __call__(self, sound: Waveform) -> list[Said]:
        torch.set_num_threads(1)  # numba, which aligns words, sets it to the number of cores
        start = time.process_time()
        found = self.find(sound)
        self.seconds += time.process_time() - start
        self.lengths.append(len(sound) / SAMPLE_RATE)
        return found


def systems(model: Path, language: str | None = None) -> dict[str, System]:
    """By name; each has heard something before it is timed."""
    featurizer = resolve("words", f"whisper:{model}", device="cpu", dtype="float32")
    assert isinstance(featurizer, WhisperFeaturizer)
    transcriber = load_transcriber(Transcription(featurizer, language), load(featurizer))
    path = featurizer.path()
    theirs = weights.whole_model(path, *weights.read(path)).eval()
    weights.set_alignment_heads(theirs, "", path)
    ctranslate2.set_random_seed(0)  # where it falls back to a temperature it draws
    faster = WhisperModel(str(model), device="cpu", compute_type="float32", cpu_threads=1)
    ours = System("favor-data", lambda sound: [])

    def favor_data(sound: Waveform) -> list[Said]:
        listener = transcriber.listener()
        for at in range(0, len(sound), PIECE):
            listener.hear(sound[at : at + PIECE])
        heard = listener.finish()
        ours.windows.append(heard)
        return [Said(word.text, word.start_ns / 1e9, word.end_ns / 1e9) for word in heard.words]

    def whispers(sound: Waveform) -> list[Said]:
        torch.manual_seed(0)
        found = whisper.transcribe(theirs, sound, fp16=False, word_timestamps=True, language=language)
        return [Said(w["word"], w["start"], w["end"]) for s in found["segments"] for w in s["words"]]

    def fasters(sound: Waveform) -> list[Said]:
        segments, _ = faster.transcribe(sound, beam_size=1, word_timestamps=True, language=language)
        return [Said(w.word, w.start, w.end) for s in segments for w in _words(s)]

    ours.find = favor_data
    found = [ours, System("openai-whisper", whispers), System("faster-whisper", fasters)]
    return {system.name: system for system in found}


def _words(segment: Any) -> list[Any]:
    return list(segment.words or [])
