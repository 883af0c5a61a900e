"""Whisper's encoder on sound of any length: 25 vectors of every 0.5 s step. And who finds the words in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy.typing as npt

from featurizers.errors import ModelUnavailable
from featurizers.featurizer import Arithmetic, Featurizer, Fetch
from featurizers.running import checkpoints
from featurizers.running.untrained import MayBeUntrained, untrained_digest
from featurizers.whisper import download
from schemas.features import Fingerprint, Rate
from schemas.grid import STEP_NS
from schemas.media import Modality

BATCH_CPU, BATCH_GPU = 1, 32
SAMPLES_PER_WINDOW = 480_000  # 30 s, as whisper.audio.N_SAMPLES

# name -> width, heads, encoder layers, decoder layers, mel bands, vocabulary (openai-whisper's checkpoints)
_SHAPES = {
    "tiny.en": (384, 6, 4, 4, 80, 51864),
    "tiny": (384, 6, 4, 4, 80, 51865),
    "base.en": (512, 8, 6, 6, 80, 51864),
    "base": (512, 8, 6, 6, 80, 51865),
    "small.en": (768, 12, 12, 12, 80, 51864),
    "small": (768, 12, 12, 12, 80, 51865),
    "medium.en": (1024, 16, 24, 24, 80, 51864),
    "medium": (1024, 16, 24, 24, 80, 51865),
    "large-v1": (1280, 20, 32, 32, 80, 51865),
    "large-v2": (1280, 20, 32, 32, 80, 51865),
    "large-v3": (1280, 20, 32, 32, 128, 51866),
    "large": (1280, 20, 32, 32, 128, 51866),
    "large-v3-turbo": (1280, 20, 32, 4, 128, 51866),
    "turbo": (1280, 20, 32, 4, 128, 51866),
}

_FIRST_LANGUAGE = 51766  # tokens of a multilingual vocabulary that are no language's, by whisper.model


def untrained_dimensions(size: str) -> dict[str, int]:
    """openai-whisper's ModelDimensions of a name."""
    width, heads, layers, text_layers, mels, vocabulary = _SHAPES[size]
    return {
        "n_mels": mels,
        "n_audio_ctx": 1500,
        "n_audio_state": width,
        "n_audio_head": heads,
        "n_audio_layer": layers,
        "n_vocab": vocabulary,
        "n_text_ctx": 448,
        "n_text_state": width,
        "n_text_head": heads,
        "n_text_layer": text_layers,
    }


@dataclass(frozen=True)
class WhisperFeaturizer(MayBeUntrained, Featurizer):
    """float32 [n] mono 16 kHz waveform of any length -> float16 [ceil(n / 8000), 25, d].

    Attributes:
        model: an openai-whisper name, a `.pt` file, a faster-whisper (CTranslate2) directory, or
            `random:SIZE`.
        arithmetic: resolved device and dtype.
        tail: as FAVOR's code hears it: cut at 30 s, and all 1500 vectors of the padded window are kept, also
            those after the sound's end: [60, 25, d].
    """

    model: str
    arithmetic: Arithmetic
    tail: bool = False
    kind: ClassVar[str] = "whisper"
    modality: ClassVar[Modality] = Modality.AUDIO

    def __post_init__(self) -> None:
        if self.size is not None:
            if self.size not in _SHAPES:
                raise ModelUnavailable(
                    f"unknown size {self.model!r}: choose random:SIZE, SIZE one of {_names()}"
                )
        elif self.model not in _SHAPES:
            self._own_path()

    @property
    def rate(self) -> Rate | None:
        return Rate(STEP_NS, STEP_NS) if self.tail else None

    def path(self) -> Path:
        """The file that holds the weights: a `.pt`, or a directory's model.bin. Named models are fetched.

        Raises:
            ModelUnavailable: there is none.
        """
        return download.fetched(self.model) if self.model in _SHAPES else self._own_path()

    def _own_path(self) -> Path:
        path = Path(self.model).expanduser()
        if path.is_dir():
            path /= "model.bin"
        if not path.is_file():
            raise ModelUnavailable(
                f"no Whisper model {self.model!r}: give a .pt file, a faster-whisper directory, "
                f"random:SIZE or one of {_names()}"
            )
        return path

    def to_fetch(self) -> Fetch | None:
        return download.to_fetch(self.model) if self.model in _SHAPES else None

    def fingerprint(self) -> Fingerprint:
        options = {"tail": True, **self.rate.options()} if self.rate else {}
        return Fingerprint(self.kind, self._weights_digest(), "log-mel-30s-1", self.arithmetic.dtype, options)

    def _weights_digest(self) -> str:
        if self.size is not None:
            return untrained_digest(untrained_dimensions(self.size))
        if self.model in _SHAPES:
            return download.sha256(self.model)
        return checkpoints.file_digest(self._own_path())

    def rows(self, item: npt.NDArray[Any]) -> int:
        return -(-len(item) // SAMPLES_PER_WINDOW)

    @property
    def rows_per_call(self) -> int:
        return 16 if self.arithmetic.device == "cpu" else 2 * BATCH_GPU

    def prepare(self) -> None:
        self.fingerprint()
        if self.size is None and (path := self.path()).name != "model.bin":
            from featurizers.whisper import weights

            weights.read(path)  # mapped: of its tensors none is read


@dataclass(frozen=True)
class Transcription:
    """The words, by the decoder that belongs to an encoder.

    Attributes:
        language: spoken in every file, as Whisper's code ("de"); None: detected once a file.

    Raises:
        ModelUnavailable: random weights, which know no words; or a language that the model does not know.
    """

    featurizer: WhisperFeaturizer
    language: str | None = None

    def __post_init__(self) -> None:
        if self.featurizer.untrained:
            raise ModelUnavailable(f"{self.featurizer.model!r} knows no words: leave out --transcribe")
        if self.language is not None:
            self._check_language(self.language)

    def _check_language(self, language: str) -> None:
        from whisper.tokenizer import LANGUAGES

        from featurizers.whisper import weights

        vocabulary = weights.read(self.featurizer.path())[0].n_vocab
        many = vocabulary >= _SHAPES["tiny"][-1]
        known = list(LANGUAGES)[: vocabulary - _FIRST_LANGUAGE] if many else ["en"]
        if language not in known:
            raise ModelUnavailable(
                f"--language {language}: {self.featurizer.model!r} knows "
                + (", ".join(known) if many else "English only")
            )


def _names() -> str:
    return ", ".join(_SHAPES)
