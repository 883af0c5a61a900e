"""FAVOR's synchronisation (arXiv 2310.05863): sound and pictures paired step by step, as a collate function.

step          |      0      |      1      | ...  0.5 s
visual rows   | v0 ... v31  | v0 ... v31  |      32 query outputs (or the encoder's own tokens)
audio rows    | a0 .. a24 0 | a0 .. a24 0 |      25 Whisper vectors, then zero rows up to the same number

Any number of columns: the first of pictures and the first of sound are a batch's `visual` and `audio`, the
rest `more`. A column whose rows are no steps (BEATs: 160 ms) is placed by time, or as released code does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple, Self

import numpy as np
import torch

from loaders.corpus import Corpus
from loaders.dataset import CorpusDataset
from loaders.memory import empty
from loaders.opening import CorpusError
from loaders.sample import TrainingSample
from loaders.times import PLACES, Times
from schemas.grid import VECTORS_PER_STEP


class Placed(NamedTuple):
    """One column of a batch: [B, T, P, width], and which rows are not padding, bool [B, T, P]."""

    features: torch.Tensor
    mask: torch.Tensor


@dataclass(frozen=True, repr=False)
class AudioVisualBatch:
    """B samples on one grid of T steps, P rows a step.

    Attributes:
        visual: [B, T, P, visual width], zero where there is no picture.
        audio: [B, T, P, audio width], zero where there is no sound and in rows 25 to P.
        visual_mask, audio_mask: bool [B, T], the step has a picture, has sound.
        modality_mask: [B, 2] of 0 and 1, the sample has pictures, has sound: FAVOR's mask [video, audio].
        steps: int64 [B], each sample's own number of steps; the rest of T is padding.
        more: further columns by name.
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
    more: Mapping[str, Placed] = field(default_factory=dict)

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
        names = [f.name for f in fields(self) if f.name not in ("samples", "more")]
        tensors = {name: move(getattr(self, name)) for name in names}
        more = {name: Placed(move(placed.features), move(placed.mask)) for name, placed in self.more.items()}
        return replace(self, **tensors, more=more)


@dataclass(frozen=True)
class Further:
    """One more column. `tokens`: rows a step that it fills; `times`: None where a row is a step."""

    name: str
    sound: bool
    tokens: int
    width: int
    times: Times | None = None


@dataclass(frozen=True)
class Synchronise:
    """Collates samples of one corpus, whatever modalities each of them has.

    A sample has as many steps as the longest of its columns: under FAVOR's own rules a video's frames and a
    sound's padded window are not equally many.

    Attributes:
        visual_tokens: rows an encoder gives a frame (32 for a Q-Former).
        visual, audio: the columns; None: the corpus has no such column, its half stays zero.
        audio_times: where the rows of `audio` lie, if they are no steps.
        more: further columns.
        image_steps: for how many steps a picture without sound is shown (FAVOR: 60).
    """

    visual_tokens: int
    visual_width: int
    audio_width: int
    visual: str | None = "clip"
    audio: str | None = "whisper"
    audio_times: Times | None = None
    more: tuple[Further, ...] = ()
    image_steps: int = 1

    @classmethod
    def of(
        cls,
        corpus: Corpus,
        visual: str | Sequence[str] | None = "clip",
        audio: str | Sequence[str] | None = "whisper",
        place: str = "grid",
        **options: Any,
    ) -> Self:
        """Reads the widths from one sample with pictures and one with sound.

        Args:
            visual, audio: a column, or several.
            place: of columns whose rows are no steps, "grid": each row in every step that it overlaps; or
                "released": vectors in order, 25 a step, as video-SALMONN's code has it.

        Raises:
            CorpusError: no sample has a column, or a column does not fit.
            ValueError: no such place.
        """
        if place not in PLACES:
            raise ValueError(f"place {place!r} is none of {', '.join(PLACES)}")
        dataset = CorpusDataset(corpus)
        pictures, sounds = (
            [names] if isinstance(names, str) else list(names or ()) for names in (visual, audio)
        )
        shapes = {name: _shape(dataset, name, "visual_steps") for name in pictures}
        shapes |= {name: _shape(dataset, name, "audio_steps") for name in sounds}
        rates = corpus.rates if sounds else {}
        times = {name: Times(rates[name], place == "released") for name in sounds if name in rates}
        main_visual, main_audio = next(iter(pictures), None), next(iter(sounds), None)
        if main_audio and main_audio not in times and shapes[main_audio][0] != VECTORS_PER_STEP:
            found = shapes[main_audio][0]
            raise CorpusError(f"column {main_audio!r} has {found} vectors a step, not {VECTORS_PER_STEP}")
        if main_audio in times and times[main_audio].rows_a_step * shapes[main_audio][0] > VECTORS_PER_STEP:
            raise CorpusError(
                f"column {main_audio!r} is no column of {VECTORS_PER_STEP} vectors a step: name it later"
            )
        further = [
            Further(
                name,
                name in sounds,
                times[name].tokens(shapes[name][0]) if name in times else shapes[name][0],
                shapes[name][1],
                times.get(name),
            )
            for name in (*pictures[1:], *sounds[1:])
        ]
        return cls(
            *(shapes[main_visual] if main_visual else (1, 1)),
            shapes[main_audio][1] if main_audio else 1,
            visual=main_visual,
            audio=main_audio,
            audio_times=times.get(main_audio) if main_audio else None,
            more=tuple(further),
            **options,
        )

    @property
    def rows(self) -> int:
        """P: rows a step, 32 in FAVOR."""
        return max(self.visual_tokens, VECTORS_PER_STEP, *(column.tokens for column in self.more))

    def __call__(self, samples: Sequence[TrainingSample]) -> AudioVisualBatch:
        lengths = [self._steps(sample) for sample in samples]
        size, steps = len(samples), max(lengths)
        visual = _empty(size, steps, self.rows, self.visual_width)
        audio = _empty(size, steps, self.rows, self.audio_width)
        visual_mask = torch.zeros(size, steps, dtype=torch.bool)
        audio_mask = torch.zeros(size, steps, dtype=torch.bool)
        for row, (sample, length) in enumerate(zip(samples, lengths, strict=True)):
            _place(visual[row], visual_mask[row], sample, self.visual, sample.visual_mask, length)
            if self.audio_times is None:
                _place(audio[row], audio_mask[row], sample, self.audio, sample.audio_mask, length)
            else:
                found = sample.features.get(self.audio or "")
                audio_mask[row] = self.audio_times.fill(audio[row], found).any(-1)
        return AudioVisualBatch(
            visual,
            audio,
            visual_mask,
            audio_mask,
            torch.stack([visual_mask.any(1), audio_mask.any(1)], dim=1).half(),
            torch.tensor(lengths),
            torch.tensor([0.0 if sample.fill else 1.0 for sample in samples]),
            [replace(sample, features={}) for sample in samples],
            {column.name: self._further(column, samples, lengths) for column in self.more},
        )

    def _steps(self, sample: TrainingSample) -> int:
        """Of its longest column; a still picture has none of its own."""
        times: dict[str, Times | None] = {column.name: column.times for column in self.more}
        times |= {name: None for name in (self.visual,) if name}
        times |= {name: self.audio_times for name in (self.audio,) if name}
        found = [(own, sample.features[name]) for name, own in times.items() if name in sample.features]
        counted = [
            own.steps(features) if own else len(features)
            for own, features in found
            if own or not (sample.is_image and len(features) == 1)
        ]
        alone = self.image_steps if sample.is_image else sample.steps
        return max(counted, default=max(alone, sample.steps))

    def _further(self, column: Further, samples: Sequence[TrainingSample], lengths: Sequence[int]) -> Placed:
        size, steps = len(samples), max(lengths)
        features = _empty(size, steps, self.rows, column.width)
        mask = torch.zeros(size, steps, self.rows, dtype=torch.bool)
        for row, (sample, length) in enumerate(zip(samples, lengths, strict=True)):
            if column.times:
                mask[row] = column.times.fill(features[row], sample.features.get(column.name))
                continue
            present = torch.zeros(steps, dtype=torch.bool)
            shown = sample.audio_mask if column.sound else sample.visual_mask
            _place(features[row], present, sample, column.name, shown, length)
            mask[row, :, : column.tokens] = present[:, None]
        return Placed(features, mask)


def _place(
    rows: torch.Tensor,
    present: torch.Tensor,
    sample: TrainingSample,
    column: str | None,
    mask: torch.Tensor,
    length: int,
) -> None:
    """Writes one sample's vectors [steps, tokens, width] into `rows` [T, P, width], the mask to `present`."""
    features = sample.features.get(column) if column else None
    if features is None:
        rows.zero_()
        return
    if sample.is_image and features.shape[0] == 1:  # a still picture is shown at every step
        features, mask = features.expand(length, -1, -1), mask.any().expand(length)
    steps, tokens = min(features.shape[0], length), features.shape[1]
    rows[:steps, :tokens] = features[:steps]
    rows[:steps, tokens:] = 0
    rows[steps:] = 0
    present[:steps] = mask[:steps]
    if not mask[:steps].all():
        rows[:steps][~mask[:steps]] = 0


def _empty(*shape: int) -> torch.Tensor:
    """float16, in an earlier batch's memory where there is any: fresh pages cost more than the copy."""
    return torch.from_numpy(empty(shape, np.float16))


def _shape(dataset: CorpusDataset, column: str, count: str) -> tuple[int, int]:
    counts = dataset.corpus.table.column(count).to_numpy()
    for row in counts.nonzero()[0]:
        features = dataset[int(row)].features
        if column in features:
            return int(features[column].shape[1]), int(features[column].shape[2])
    raise CorpusError(f"no sample of {dataset.corpus.root} has the column {column!r}")
