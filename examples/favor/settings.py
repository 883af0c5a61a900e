"""What a run's model is made of: kept in its checkpoint, so that a run can be read without its command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import torch

from examples.favor.language_model import load_language_model
from examples.favor.model import VICUNA_ATTENTION, Favor, InputConfig, with_lora
from examples.favor.qformer import (
    FAVOR_RESOLUTION,
    VIDEO_SALMONN_RESOLUTIONS,
    CausalMask,
    QFormerConfig,
)
from loaders.corpus import Corpus
from loaders.synchronise import Synchronise
from schemas.grid import VECTORS_PER_STEP

# How the published code answers (its sampling, among the likeliest 1 %, left out).
RELEASED_GENERATION: Mapping[str, Any] = {"num_beams": 5, "repetition_penalty": 1.5}


class SettingsError(ValueError):
    """Settings that make no model, or not one for this corpus: one line that says why."""


@dataclass(frozen=True)
class ModelSettings:
    """Plain values alone.

    Attributes:
        llm: as `load_language_model` takes it.
        visual, audio: the corpus's columns that were trained on; None: none.
        lora_rank: 0: the whole language model is trained.
        width, heads: of the Q-Former.
        generation: what Hugging Face's `generate` is given by default.
        image_steps: for how many steps a picture without sound is shown; 60 in the published code.
    """

    llm: str
    visual: str | None
    audio: str | None
    inputs: InputConfig
    lora_rank: int = 32
    lora_targets: tuple[str, ...] = VICUNA_ATTENTION
    width: int = 768
    heads: int = 12
    mask: CausalMask = CausalMask.PAPER
    multi_resolution: bool = False
    dropout: float = 0.1
    seed: int = 0
    generation: Mapping[str, Any] = field(default_factory=dict)
    image_steps: int = 1

    @property
    def rows(self) -> int:
        return max(self.inputs.visual_tokens, VECTORS_PER_STEP)

    @property
    def qformer(self) -> QFormerConfig:
        return QFormerConfig(
            feature_width=self.inputs.halves * self.width,
            rows=self.rows,
            width=self.width,
            heads=self.heads,
            resolutions=VIDEO_SALMONN_RESOLUTIONS if self.multi_resolution else FAVOR_RESOLUTION,
            mask=self.mask,
            dropout=self.dropout,
        )

    def build(self, frozen_dtype: torch.dtype = torch.float32) -> Favor:
        """The model, its new parts drawn with the seed. What is trained is float32; the language model's
        frozen weights beside LoRA are `frozen_dtype`.

        Raises:
            LanguageModelError: no such language model.
            SettingsError: widths that do not fit, or LoRA's modules are not in it.
        """
        llm, tokenizer = load_language_model(
            self.llm, frozen_dtype if self.lora_rank else torch.float32, self.seed
        )
        torch.manual_seed(self.seed)
        try:
            if self.lora_rank:
                llm = with_lora(llm, self.lora_rank, self.lora_rank, targets=self.lora_targets)
            return Favor(self.qformer, self.inputs, llm, tokenizer)
        except ValueError as error:
            raise SettingsError(str(error).splitlines()[0]) from error

    def collate(self, corpus: Corpus) -> Synchronise:
        """Raises:
        CorpusError: the corpus lacks a column.
        SettingsError: its features are of another shape.
        """
        sounds = [name for name in (self.audio,) if name]
        sounds += [self.inputs.beats_column] if self.inputs.beats_width else []
        collate = Synchronise.of(
            corpus, visual=self.visual, audio=sounds, place="released", image_steps=self.image_steps
        )
        further = {column.name: column.width for column in collate.more}
        if further.get(self.inputs.beats_column, 0) != self.inputs.beats_width:
            raise SettingsError(
                f"the model reads {self.inputs.beats_column} {self.inputs.beats_width} wide; "
                f"{corpus.root} has {further.get(self.inputs.beats_column)}"
            )
        wanted = (self.inputs.visual_tokens, self.inputs.visual_width, self.inputs.audio_width)
        found = (collate.visual_tokens, collate.visual_width, collate.audio_width)
        if wanted != found:
            raise SettingsError(
                f"the model reads {wanted[0]} vectors {wanted[1]} wide a frame and sound {wanted[2]} wide; "
                f"{corpus.root} has {found[0]} of {found[1]}, and {found[2]}"
            )
        return collate

    def moved(self, visual: str | None, audio: str | None, llm: str | None) -> Self:
        """For features under other names, and a language model that lies elsewhere."""
        return replace(self, visual=visual or self.visual, audio=audio or self.audio, llm=llm or self.llm)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "lora_targets": list(self.lora_targets), "mask": self.mask.value}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        return cls(
            **{
                **values,
                "inputs": InputConfig(**values["inputs"]),
                "lora_targets": tuple(values["lora_targets"]),
                "mask": CausalMask(values["mask"]),
            }
        )
