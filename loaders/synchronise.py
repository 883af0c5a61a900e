"""FAVOR's synchronisation (arXiv 2310.05863): sound and pictures paired step by step, as a collate function.

step          |      0      |      1      | ...  0.5 s
visual rows   | v0 ... v31  | v0 ... v31  |      32 query outputs (or the encoder's own tokens)
audio rows    | a0 .. a24 0 | a0 .. a24 0 |      25 Whisper vectors, then zero rows up to the same number
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import torch

from loaders.corpus import Corpus
from loaders.dataset import CorpusDataset
from loaders.memory import empty
from loaders.opening import CorpusError
from loaders.sample import TrainingSample
from schemas.grid import VECTORS_PER_STEP


@dataclass(frozen=True, repr=False)
class AudioVisualBatch:
    """B samples on one grid of T steps, P rows a step.

    Attributes:
        visual: [B, T, P, visual width], zero where there is no picture.
        audio: [B, T, P, audio width], zero where there is no sound and in rows 25 to P.
        visual_mask, audio_mask: bool [B, T], the step has a picture, has sound.
        modality_mask: [B, 2] of 0 and 1, the sample has pictures, has sound: FAVOR's mask [video, audio].
        steps: int64 [B], each sample's own number of steps; the rest of T is padding.
        weight: float32 [B], 0 for a repeated sample that only fills up the last step of an epoch.
        samples: what the rows were made of, without their features.
    """

    visual: torch.Tensor
    audio: torch.Tensor
    visual_mask: torch.Tensor
    audio_mask: torch.Tensor
    modality_mask: torch.Tensor
    steps: torch.Tensor
    weight: torch.Tensor
    samples: Sequence[TrainingSample]

    def __len__(self) -> int:
        return len(self.samples)

    def __repr__(self) -> str:
        visual, audio = list(self.visual.shape), list(self.audio.shape)
        return f"<AudioVisualBatch of {len(self)} samples: visual {visual}, audio {audio}>"

    @property
    def step_mask(self) -> torch.Tensor:
        """bool [B, T]: the step belongs to the sample."""
        return torch.arange(self.visual.shape[1], device=self.steps.device) < self.steps[:, None]

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Self:
        return self._mapped(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Self:
        return self._mapped(torch.Tensor.pin_memory)

    def _mapped(self, move: Any) -> Self:
        tensors = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "samples"}
        return replace(self, **{name: move(tensor) for name, tensor in tensors.items()})


@dataclass(frozen=True)
class Synchronise:
    """Collates samples of one corpus, whatever modalities each of them has.

    Attributes:
        visual_tokens: rows an encoder gives a frame (32 for a Q-Former).
        visual, audio: the columns; None: the corpus has no such column, its half stays zero.
    """

    visual_tokens: int
    visual_width: int
    audio_width: int
    visual: str | None = "clip"
    audio: str | None = "whisper"

    @classmethod
    def of(
        cls, corpus: Corpus, visual: str | None = "clip", audio: str | None = "whisper", **options: Any
    ) -> Self:
        """Reads the widths from one sample with pictures and one with sound.

        Raises:
            CorpusError: no sample has the column.
        """
        dataset = CorpusDataset(corpus)
        visual_shape = _shape(dataset, visual, "visual_steps", (1, 1))
        audio_shape = _shape(dataset, audio, "audio_steps", (VECTORS_PER_STEP, 1))
        if audio_shape[0] != VECTORS_PER_STEP:
            raise CorpusError(f"column {audio!r} has {audio_shape[0]} vectors a step, not {VECTORS_PER_STEP}")
        return cls(*visual_shape, audio_shape[1], visual=visual, audio=audio, **options)

    @property
    def rows(self) -> int:
        """P: rows a step, 32 in FAVOR."""
        return max(self.visual_tokens, VECTORS_PER_STEP)

    def __call__(self, samples: Sequence[TrainingSample]) -> AudioVisualBatch:
        size, steps = len(samples), max(sample.steps for sample in samples)
        visual = _empty(size, steps, self.rows, self.visual_width)
        audio = _empty(size, steps, self.rows, self.audio_width)
        visual_mask = torch.zeros(size, steps, dtype=torch.bool)
        audio_mask = torch.zeros(size, steps, dtype=torch.bool)
        for row, sample in enumerate(samples):
            _place(visual[row], visual_mask[row], sample, self.visual, sample.visual_mask)
            _place(audio[row], audio_mask[row], sample, self.audio, sample.audio_mask)
        return AudioVisualBatch(
            visual,
            audio,
            visual_mask,
            audio_mask,
            torch.stack([visual_mask.any(1), audio_mask.any(1)], dim=1).half(),
            torch.tensor([sample.steps for sample in samples]),
            torch.tensor([0.0 if sample.fill else 1.0 for sample in samples]),
            [replace(sample, features={}) for sample in samples],
        )


def _place(
    rows: torch.Tensor, present: torch.Tensor, sample: TrainingSample, column: str | None, mask: torch.Tensor
) -> None:
    """Writes one sample's vectors [steps, tokens, width] into `rows` [T, P, width], the mask to `present`."""
    features = sample.features.get(column) if column else None
    if features is None:
        rows.zero_()
        return
    if sample.is_image and features.shape[0] == 1:  # a still picture is shown at every step
        features, mask = features.expand(sample.steps, -1, -1), mask.any().expand(sample.steps)
    steps, tokens = min(features.shape[0], sample.steps), features.shape[1]
    rows[:steps, :tokens] = features[:steps]
    rows[:steps, tokens:] = 0
    rows[steps:] = 0
    present[:steps] = mask[:steps]
    if not mask[:steps].all():
        rows[:steps][~mask[:steps]] = 0


def _empty(*shape: int) -> torch.Tensor:
    """float16, in an earlier batch's memory where there is any: fresh pages cost more than the copy."""
    return torch.from_numpy(empty(shape, np.float16))


def _shape(
    dataset: CorpusDataset, column: str | None, count: str, absent: tuple[int, int]
) -> tuple[int, int]:
    if column is None:
        return absent
    counts = dataset.corpus.table.column(count).to_numpy()
    for row in counts.nonzero()[0]:
        features = dataset[int(row)].features
        if column in features:
            return int(features[column].shape[1]), int(features[column].shape[2])
    raise CorpusError(f"no sample of {dataset.corpus.root} has the column {column!r}")
