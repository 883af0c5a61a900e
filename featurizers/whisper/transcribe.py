"""The words of a file's sound, heard from a stream in bounded memory.

As openai-whisper's `transcribe` with `word_timestamps=True`: windows of 30 s that move on to the last word
spoken, each decoded with what was said before as its prompt. Whisper wants the whole sound at once, and its
spectrogram; here a window is taken from the stream when it is its turn, and windows in which nobody speaks
are passed by.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from whisper.decoding import DecodingResult
from whisper.tokenizer import Tokenizer

from featurizers.featurizer import Arithmetic
from featurizers.whisper import weights
from featurizers.whisper.decoder import Decoder, repeats
from featurizers.whisper.description import SAMPLES_PER_WINDOW, Transcription, WhisperFeaturizer
from featurizers.whisper.encoder import WhisperEncoder
from featurizers.whisper.speech import Speech, SpeechDetector
from schemas.grid import seconds_to_ns
from schemas.words import UNDETERMINED, Transcript, Word

# Whisper's 10 ms of its spectrogram, in which windows move on.
FRAMES_PER_SECOND, SAMPLES_PER_FRAME, FRAMES_PER_WINDOW = 100, 160, 3000
FRAMES_PER_VECTOR, SECONDS_PER_VECTOR = 2, 0.02
WARM = 0.5  # words found at a higher temperature are no prompt for what follows, nor are those that repeat

Waveform = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Transcriber:
    """What hears: the encoder that makes features, the decoder, and a detector of speech."""

    encoder: WhisperEncoder
    decoder: Decoder
    detector: SpeechDetector
    language: str | None  # None: detected where somebody first speaks

    def listener(self) -> Listener:
        """For one file."""
        return Listener(self)


_heads: WeakKeyDictionary[WhisperEncoder, tuple[Decoder, SpeechDetector]] = WeakKeyDictionary()
_loading = threading.Lock()


def load(transcription: Transcription, encoder: WhisperEncoder) -> Transcriber:
    """The decoder that belongs to a loaded encoder, once a process.

    Raises:
        ModelUnavailable: weights that cannot be read.
    """
    with _loading:
        if encoder not in _heads:
            _heads[encoder] = _decoder(transcription.featurizer, encoder.arithmetic), SpeechDetector()
        return Transcriber(encoder, *_heads[encoder], transcription.language)


def _decoder(featurizer: WhisperFeaturizer, arithmetic: Arithmetic) -> Decoder:
    path = featurizer.path()
    model = weights.whole_model(path, *weights.read(path))
    weights.set_alignment_heads(model, featurizer.model, path)
    half = arithmetic.device.startswith("cuda") and arithmetic.dtype != "float32"
    return Decoder(model, arithmetic.device, half)


class Listener:
    """One file's sound, in order. Holds no more than what it was last given and one window."""

    def __init__(self, transcriber: Transcriber) -> None:
        self._with = transcriber
        many = transcriber.decoder.model.is_multilingual
        self._language = transcriber.language or (UNDETERMINED if many else "en")
        self._sound: Waveform = np.zeros(0, np.float32)
        self._seek = 0  # frames of 10 ms before the first sample at hand
        self._prompt: list[int] = []
        self._spoken_until = 0.0
        self._words: list[Word] = []
        self._windows = self._extra = 0

    def hear(self, sound: Waveform) -> None:
        """float32 [n], mono, 16 kHz: what follows."""
        self._sound = np.concatenate([self._sound, sound])
        while len(self._sound) >= SAMPLES_PER_WINDOW:
            self._listen()

    def finish(self) -> Transcript:
        """That was all."""
        while len(self._sound) >= SAMPLES_PER_FRAME:
            self._listen()
        return Transcript(self._language, tuple(self._words), self._windows, self._extra)

    def _listen(self) -> None:
        with self._with.decoder.lock:
            frames = self._window(self._sound[:SAMPLES_PER_WINDOW])
        self._sound = self._sound[frames * SAMPLES_PER_FRAME :]
        self._seek += frames

    def _window(self, sound: Waveform) -> int:
        """Frames to move on by."""
        frames = len(sound) // SAMPLES_PER_FRAME
        speech = self._with.detector(sound)
        if not speech:
            return frames
        decoder, extra = self._with.decoder, self._seek % FRAMES_PER_WINDOW != 0
        self._windows += 1
        self._extra += extra
        encoder = self._with.encoder
        vectors = encoder.window(sound) if extra else encoder.remember([sound])[0]
        if self._language == UNDETERMINED:
            self._language = decoder.language(vectors)
        result = decoder.decode(vectors, self._language, self._prompt, speech.seconds)
        if result is None:
            return frames
        tokenizer = decoder.tokenizer(self._language)
        segments, ends = _segments(result, tokenizer, self._seek, frames)
        decoder.align(
            segments, vectors, frames, tokenizer=tokenizer, last_speech_timestamp=self._spoken_until
        )
        self._spoken_until = _end(segments)
        self._keep(segments, speech, result, frames)
        if ends is None:
            return frames
        said_until = round(self._spoken_until * FRAMES_PER_SECOND) - self._seek
        return min(said_until if said_until > 0 else ends, frames) or frames

    def _keep(
        self, segments: list[dict[str, Any]], speech: Speech, result: DecodingResult, frames: int
    ) -> None:
        offset = self._seek / FRAMES_PER_SECOND
        for segment in segments:
            words = segment["words"]
            if segment["start"] == segment["end"] or not segment["text"].strip() or not words:
                continue
            if not speech.near(words[0]["start"] - offset, words[-1]["end"] - offset):
                continue
            self._prompt += segment["tokens"]
            for word in words:
                self._words.append(self._word(word, speech, frames))
        if result.temperature > WARM or repeats(result):
            self._prompt = []
        self._prompt = self._prompt[-self._with.decoder.model.dims.n_text_ctx // 2 :]

    def _word(self, word: dict[str, Any], speech: Speech, frames: int) -> Word:
        """Where somebody speaks, as attention takes in the silence too; after the word before, and inside the
        window."""
        offset = self._seek / FRAMES_PER_SECOND
        spoken = speech.part(word["start"] - offset, word["end"] - offset)
        first = self._words[-1].end_ns if self._words else 0
        last = seconds_to_ns((self._seek + frames) / FRAMES_PER_SECOND)
        start, end = (seconds_to_ns(round(offset + time, 2)) for time in spoken)
        end = min(max(end, first), last)
        start = min(max(start, first), end)
        return Word(word["word"], start, end, round(float(word["probability"]), 4))


def _end(segments: list[dict[str, Any]]) -> float:
    """Seconds at which the last word, or else the last segment, ends."""
    ends: list[float] = [word["end"] for segment in segments for word in segment["words"]]
    until: float = ends[-1] if ends else segments[-1]["end"]
    return until


def _segments(
    result: DecodingResult, tokenizer: Tokenizer, seek: int, frames: int
) -> tuple[list[dict[str, Any]], int | None]:
    """A window's tokens between their timestamps, as whisper.transcribe cuts them.

    Returns:
        Segments, times in seconds of the file; and the frames to move on by where no word has a time, or None
        where the window is done: its last timestamp stands alone.
    """
    tokens: list[int] = result.tokens
    first: int = tokenizer.timestamp_begin
    offset = seek / FRAMES_PER_SECOND

    def segment(part: list[int], start: float, end: float) -> dict[str, Any]:
        text = tokenizer.decode([token for token in part if token < tokenizer.eot])
        return {"seek": seek, "start": offset + start, "end": offset + end, "text": text, "tokens": part}

    def seconds(token: int) -> float:
        return (token - first) * SECONDS_PER_VECTOR

    stamped = [token >= first for token in tokens]
    cuts = [at for at in range(1, len(tokens)) if stamped[at] and stamped[at - 1]]
    closed = stamped[-2:] == [False, True]  # nothing is said after the last timestamp
    if not cuts:
        stamps = [token for token in tokens if token >= first]
        end = seconds(stamps[-1]) if stamps and stamps[-1] > first else frames / FRAMES_PER_SECOND
        return [segment(tokens, 0.0, end)], None if closed else frames
    if closed:
        cuts.append(len(tokens))
    parts = [tokens[a:b] for a, b in zip([0, *cuts], cuts, strict=False)]
    segments = [segment(part, seconds(part[0]), seconds(part[-1])) for part in parts]
    return segments, None if closed else (parts[-1][-1] - first) * FRAMES_PER_VECTOR
