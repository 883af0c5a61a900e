"""Hugging Face's audio models whose vectors' times are known: AST, CLAP, wav2vec 2.0 and its kin, Whisper."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy.typing as npt

from featurizers.errors import ModelUnavailable
from featurizers.featurizer import Arithmetic, Featurizer
from featurizers.running import checkpoints
from schemas.features import Fingerprint, Rate
from schemas.grid import SAMPLE_NS, SAMPLE_RATE, SECOND_NS, STEP_NS
from schemas.media import Modality

STRIDED = ("wav2vec2", "hubert", "wavlm")  # convolutions over the waveform, then a transformer
WINDOW_S = {"audio-spectrogram-transformer": 10, "clap": 10, "whisper": 30, **dict.fromkeys(STRIDED, 30)}
_FRAME_NS = 10_000_000  # of the filterbanks of AST and CLAP
VERSION = 1


@dataclass(frozen=True)
class Layout:
    """How a model's vectors lie in time.

    Attributes:
        family: config.json's model_type.
        window: samples at 16 kHz that it hears at once; windows see nothing of one another.
        row_ns: the time from one row's beginning to the next one's.
        rows: a window's rows, one after another in time (the last of an AST's is left out).
        vectors: a row's, by frequency where there are several.
    """

    family: str
    window: int
    row_ns: int
    rows: int
    vectors: int

    @property
    def rows_per_step(self) -> int | None:
        """None: a step of the grid is no whole number of rows."""
        return None if STEP_NS % self.row_ns else STEP_NS // self.row_ns

    def rows_of(self, samples: int) -> int:
        """Rows of a window that holds so much sound: whole steps where they fit the grid."""
        wanted = samples * SAMPLE_NS / (STEP_NS if self.rows_per_step else self.row_ns)
        return min(self.rows, max(1, math.ceil(wanted)) * (self.rows_per_step or 1))


def layout(config: dict[str, Any], model: str) -> Layout:
    """Of a checkpoint's config.json.

    Raises:
        ModelUnavailable: a family, or a shape, whose vectors' times are not known here.
    """
    family = str(config.get("model_type"))
    if family not in WINDOW_S:
        raise ModelUnavailable(
            f"{model!r} is a {family!r} checkpoint: when its vectors lie is known of "
            f"{', '.join(WINDOW_S)} only"
        )
    window = WINDOW_S[family] * SAMPLE_RATE
    match family:
        case "whisper":
            return Layout(family, window, STEP_NS // 25, 1500, 1)
        case "audio-spectrogram-transformer":
            patch, bands = config.get("patch_size", 16), config.get("num_mel_bins", 128)
            row_ns = config.get("time_stride", 10) * _FRAME_NS
            vectors = (bands - patch) // config.get("frequency_stride", 10) + 1
            if config.get("max_length", 1024) * _FRAME_NS < WINDOW_S[family] * SECOND_NS + patch * _FRAME_NS:
                raise ModelUnavailable(f"{model!r} hears less than {WINDOW_S[family]} s at once")
            return Layout(family, window, row_ns, WINDOW_S[family] * SECOND_NS // row_ns, vectors)
        case "clap":
            audio = config.get("audio_config", config)
            if audio.get("enable_fusion", False):
                raise ModelUnavailable(f"{model!r} fuses random parts of a sound: take one that does not")
            # 10 s by all bands, folded to a square; patches are merged after every stage but the last.
            side, bands = audio.get("spec_size", 256), audio.get("num_mel_bins", 64)
            patches = side // audio.get("patch_size", 4) // 2 ** (len(audio.get("depths", (2, 2, 6, 2))) - 1)
            rows, vectors = patches * side // bands, patches * bands // side
            return Layout(family, window, WINDOW_S[family] * SECOND_NS // rows, rows, vectors)
    stride = math.prod(config.get("conv_stride", (5, 2, 2, 2, 2, 2, 2)))
    return Layout(family, window, stride * SECOND_NS // SAMPLE_RATE, window // stride, 1)


@dataclass(frozen=True)
class HuggingFaceAudioFeaturizer(Featurizer):
    """float32 [n] mono 16 kHz waveform -> float16 [steps, vectors a step, d] where a step of 0.5 s is a whole
    number of the model's rows, else [rows, vectors a row, d] with `rate`.

    Attributes:
        model: Hugging Face id (`ID@REVISION`), or local directory of a transformers checkpoint.
        arithmetic: resolved device and dtype.
    """

    model: str
    arithmetic: Arithmetic
    kind: ClassVar[str] = "audio"
    modality: ClassVar[Modality] = Modality.AUDIO

    @property
    def untrained(self) -> bool:
        return False

    def config(self, name: str = "config.json") -> dict[str, Any]:
        """One of the checkpoint's JSON files; empty if there is none."""
        path = checkpoints.folder(self.model) / name
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}

    def layout(self) -> Layout:
        """Raises:
        ModelUnavailable: as the function of that name.
        """
        return layout(self.config(), self.model)

    @property
    def rate(self) -> Rate | None:
        made = self.layout()
        return None if made.rows_per_step else Rate(made.row_ns, made.row_ns)

    def fingerprint(self) -> Fingerprint:
        folder = checkpoints.folder(self.model)
        options: dict[str, Any] = {
            "family": self.layout().family,
            "preprocessing": self.config("preprocessor_config.json"),
            **(self.rate.options() if self.rate else {}),
        }
        weights = checkpoints.files_digest(checkpoints.weight_files(folder))
        return Fingerprint(self.kind, weights, f"audio-{VERSION}", self.arithmetic.dtype, options)

    def rows(self, item: npt.NDArray[Any]) -> int:
        return -(-len(item) // self.layout().window)

    @property
    def rows_per_call(self) -> int:
        return 16
