"""Whisper's decoder behind an encoder of ours: tokens of a window, and when each word was said."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from whisper.decoding import DecodingOptions, DecodingResult
from whisper.model import Whisper
from whisper.timing import add_word_timestamps
from whisper.tokenizer import Tokenizer, get_tokenizer

# As whisper.transcribe has them.
TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
NO_SPEECH_THRESHOLD = 0.6
LOGPROB_THRESHOLD = -1.0
COMPRESSION_RATIO_THRESHOLD = 2.4
# Ours: below this no attempt has heard anything (half a second cut out of speech: -1.9; noise: -2 to -5).
HOPELESS_LOGPROB = -1.5
# What somebody says again and again is as likely as other speech (-0.2), and not faster than people talk; a
# sentence of 3 s that fills a window compresses to a sixth, "Okay" for half a minute to a tenth and less.
SAID_LOGPROB, MOST_LETTERS_PER_SECOND, MOST_COMPRESSION = -0.5, 25, 8.0

Vectors = npt.NDArray[np.float16]


class Decoder:
    """openai-whisper's text decoder. It holds state while it decodes: one thread at a time."""

    def __init__(self, model: Whisper, device: str, half: bool) -> None:
        model.encoder = nn.Identity()
        heads = model.alignment_heads
        del model.alignment_heads  # as a sparse buffer, not every device can hold it
        self.model = model.eval().to(device)
        self.model.alignment_heads = heads
        self.half = half
        self.lock = threading.Lock()
        if half:
            for module in self.model.decoder.modules():
                if isinstance(module, (nn.Linear, nn.Embedding)):  # layer norms compute in float32
                    module.half()

    def tokenizer(self, language: str) -> Tokenizer:
        """Whisper's own, for text in a language."""
        many = self.model.is_multilingual
        return get_tokenizer(many, num_languages=self.model.num_languages, language=language)

    def language(self, vectors: Vectors) -> str:
        """Code of the likeliest language of a window."""
        _, chances = self.model.detect_language(self._placed(vectors))
        likeliest: str = max(chances, key=chances.__getitem__)
        return likeliest

    def decode(
        self, vectors: Vectors, language: str, prompt: Sequence[int], spoken_s: float
    ) -> DecodingResult | None:
        """whisper.transcribe's fallback: warmer and warmer while the words repeat or are unlikely.

        Where no temperature will do, words that repeat stand if somebody may have said them so; else the
        likeliest attempt that does not repeat itself, unless it is hopeless too.

        Args:
            spoken_s: for how long somebody speaks in the window.

        Returns:
            None where no words can be heard.
        """
        placed, attempts = self._placed(vectors), []
        for temperature in TEMPERATURES:
            options = DecodingOptions(
                language=language, temperature=temperature, prompt=list(prompt), fp16=self.half
            )
            result = self._decode(placed, options)
            if _silent(result):
                break
            if not (repeats(result) or result.avg_logprob < LOGPROB_THRESHOLD):
                return result
            attempts.append(result)
        if said := [result for result in attempts if self._said(result, spoken_s)]:
            return max(said, key=lambda result: result.avg_logprob)
        if _silent(result):
            return None
        plain = [result for result in attempts if not repeats(result)]
        best = max(plain or attempts, key=lambda result: result.avg_logprob)
        return best if best.avg_logprob >= HOPELESS_LOGPROB else None

    def _said(self, result: DecodingResult, spoken_s: float) -> bool:
        """Whether words that repeat are somebody's. A decoder in a loop goes on until it may not."""
        ended = len(result.tokens) < self.model.dims.n_text_ctx // 2  # DecodingTask.sample_len
        slow = len(result.text) <= MOST_LETTERS_PER_SECOND * spoken_s
        sentences = result.compression_ratio <= MOST_COMPRESSION
        return ended and slow and sentences and result.avg_logprob >= SAID_LOGPROB

    def _decode(self, vectors: torch.Tensor, options: DecodingOptions) -> DecodingResult:
        devices = [vectors.device] if vectors.is_cuda else []
        with torch.random.fork_rng(devices, enabled=options.temperature > 0):
            if options.temperature > 0:
                torch.manual_seed(0)  # the same words on every run
            return self.model.decode(vectors, options)

    def align(self, segments: list[dict[str, Any]], vectors: Vectors, frames: int, **given: Any) -> None:
        """Adds "words" to whisper.transcribe's segments: word, start, end (seconds), probability."""
        add_word_timestamps(
            segments=segments, model=self.model, mel=self._placed(vectors), num_frames=frames, **given
        )

    def _placed(self, vectors: Vectors) -> torch.Tensor:
        dtype = torch.float16 if self.half else torch.float32
        return torch.from_numpy(vectors).to(self.model.device, dtype)


def repeats(result: DecodingResult) -> bool:
    """Whether its words are more alike than those of speech: a decoder in a loop, or a speaker."""
    alike: bool = result.compression_ratio > COMPRESSION_RATIO_THRESHOLD
    return alike


def _silent(result: DecodingResult) -> bool:
    silent: bool = result.no_speech_prob > NO_SPEECH_THRESHOLD and result.avg_logprob <= LOGPROB_THRESHOLD
    return silent
