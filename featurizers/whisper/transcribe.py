"""The words of a sound, from the vectors that Whisper's encoder has already made of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from whisper.decoding import DecodingOptions, DecodingResult
from whisper.model import Whisper

# As whisper.transcribe has them.
TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
NO_SPEECH_THRESHOLD = 0.6
LOGPROB_THRESHOLD = -1.0
COMPRESSION_RATIO_THRESHOLD = 2.4


class Transcriber:
    """Whisper's decoder. One window at a time, so that a window's words do not depend on its neighbours."""

    def __init__(self, model: Whisper, device: str, half: bool) -> None:
        model.encoder = nn.Identity()
        model.alignment_heads = None  # a sparse buffer that not every device can hold
        self.half = half
        self.model = model.eval().to(device)
        if half:
            for module in self.model.decoder.modules():
                if isinstance(module, (nn.Linear, nn.Embedding)):  # layer norms compute in float32
                    module.half()

    def words(self, windows: Sequence[npt.NDArray[np.float16] | None]) -> str:
        """The words of consecutive 30 s windows, joined by spaces.

        Args:
            windows: [1500, d] each, or None for a window without any sound, which has no words.
        """
        language: str | None = None if self.model.is_multilingual else "en"
        texts = []
        for window in windows:
            if window is None:
                continue
            dtype = torch.float16 if self.half else torch.float32
            vectors = torch.from_numpy(window).to(self.model.device, dtype)
            if language is None:
                _, chances = self.model.detect_language(vectors)
                language = max(chances, key=chances.__getitem__)
            result = self._decode(vectors, language)
            if not _silent(result):
                texts.append(result.text)
        return " ".join(text for text in texts if text)

    def _decode(self, vectors: torch.Tensor, language: str) -> DecodingResult:
        """whisper.transcribe's fallback: warmer and warmer while the words repeat or are unlikely."""
        for temperature in TEMPERATURES:
            options = DecodingOptions(
                language=language, temperature=temperature, without_timestamps=True, fp16=self.half
            )
            with torch.random.fork_rng(enabled=temperature > 0):
                if temperature > 0:
                    torch.manual_seed(0)  # the same words on every run
                result = self.model.decode(vectors, options)
            repeats = result.compression_ratio > COMPRESSION_RATIO_THRESHOLD
            unlikely = result.avg_logprob < LOGPROB_THRESHOLD
            if _silent(result) or not (repeats or unlikely):
                break
        return result


def _silent(result: DecodingResult) -> bool:
    silent: bool = result.no_speech_prob > NO_SPEECH_THRESHOLD and result.avg_logprob <= LOGPROB_THRESHOLD
    return silent
