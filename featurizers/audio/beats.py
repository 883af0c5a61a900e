"""BEATs (arXiv 2212.09058), video-SALMONN's second encoder of sound: patches of 160 ms by 16 mel bands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy.typing as npt

from featurizers.errors import ModelUnavailable
from featurizers.featurizer import Arithmetic, Featurizer
from featurizers.running import checkpoints
from featurizers.running.untrained import MayBeUntrained, untrained_digest
from schemas.features import Fingerprint, Rate
from schemas.grid import SAMPLE_NS
from schemas.media import Modality

# The filterbank of Kaldi: frames of 25 ms every 10 ms, none that reaches past the end.
FRAME, HOP, BANDS = 400, 160, 128
PATCH = 16  # frames, and bands, a patch
BANDS_OF_PATCHES = BANDS // PATCH
SAMPLES_PER_ROW = PATCH * HOP  # 160 ms
ROWS_PER_WINDOW = 187  # of 30 s
WINDOW = (ROWS_PER_WINDOW * PATCH - 1) * HOP + FRAME  # samples that these rows are made of: 29.935 s
SHORTEST, LONGEST = 48_000, 480_000  # samples, 3 s and 30 s: video-SALMONN's code pads and cuts to them

RATE = Rate(SAMPLES_PER_ROW * SAMPLE_NS, SAMPLES_PER_ROW * SAMPLE_NS)

# The published checkpoints' configuration, as far as it shapes the encoder.
CONFIG: dict[str, Any] = {
    "input_patch_size": PATCH,
    "embed_dim": 512,
    "encoder_layers": 12,
    "encoder_embed_dim": 768,
    "encoder_ffn_embed_dim": 3072,
    "encoder_attention_heads": 12,
    "activation_fn": "gelu",
    "layer_norm_first": False,
    "deep_norm": True,
    "conv_pos": 128,
    "conv_pos_groups": 16,
    "relative_position_embedding": True,
    "num_buckets": 320,
    "max_distance": 800,
    "gru_rel_pos": True,
}
UNTRAINED = {"base": CONFIG}


@dataclass(frozen=True)
class BeatsFeaturizer(MayBeUntrained, Featurizer):
    """float32 [n] mono 16 kHz waveform -> float16 [rows, 8, d]: row i is the 160 ms from sample 2560 i on,
    its eight patches from the lowest bands up; as many rows as the filterbank's frames fill, one at least.

    Sound longer than 30 s is read in windows of 187 rows (29.92 s), which see nothing of one another.

    Attributes:
        model: a `.pt` of the authors' (their `cfg` and `model`), or `random:base`.
        arithmetic: resolved device and dtype.
        tail: as video-SALMONN's code hears it: under 3 s padded to 3 s with zeros, cut at 30 s.
    """

    model: str
    arithmetic: Arithmetic
    tail: bool = False
    kind: ClassVar[str] = "beats"
    modality: ClassVar[Modality] = Modality.AUDIO

    def __post_init__(self) -> None:
        if self.size is None:
            self.path()
        elif self.size not in UNTRAINED:
            raise ModelUnavailable(
                f"unknown size {self.model!r}: choose random:{', random:'.join(UNTRAINED)}"
            )

    def path(self) -> Path:
        """The checkpoint.

        Raises:
            ModelUnavailable: there is none.
        """
        path = Path(self.model).expanduser()
        if not path.is_file():
            raise ModelUnavailable(
                f"no BEATs checkpoint {self.model!r}: give the authors' .pt, or random:base"
            )
        return path

    @property
    def rate(self) -> Rate:
        return RATE

    def fingerprint(self) -> Fingerprint:
        weights = checkpoints.file_digest(self.path()) if self.size is None else untrained_digest(CONFIG)
        options = {**RATE.options(), **({"tail": True} if self.tail else {})}
        return Fingerprint(self.kind, weights, "kaldi-fbank-1", self.arithmetic.dtype, options)

    def rows(self, item: npt.NDArray[Any]) -> int:
        return len(windows(len(item)))

    @property
    def rows_per_call(self) -> int:
        return 16


def windows(samples: int) -> list[slice]:
    """Where the windows of a waveform lie, each of rows that follow the one before's; one at least."""
    step = ROWS_PER_WINDOW * SAMPLES_PER_ROW
    rows = max(1, (samples - FRAME + HOP) // SAMPLES_PER_ROW)
    return [slice(at, at + WINDOW) for at in range(0, rows * SAMPLES_PER_ROW, step)]
