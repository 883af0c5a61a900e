"""FAVOR: synchronised features -> causal Q-Former -> a Hugging Face causal language model with LoRA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from examples.favor.prompt import IGNORED, ConversationError, Prompt, Turns, build_prompt
from examples.favor.qformer import CausalQFormer, QFormerConfig, diversity_loss
from loaders.synchronise import AudioVisualBatch, Synchronise
from schemas.grid import VECTORS_PER_STEP

DIVERSITY_FACTOR = 0.01
VICUNA_ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")


class Losses(NamedTuple):
    """`total` = `answer` + 0.01 `diversity`; all scalars."""

    total: torch.Tensor
    answer: torch.Tensor
    diversity: torch.Tensor


def with_lora(
    llm: PreTrainedModel,
    rank: int = 32,
    alpha: int = 32,
    dropout: float = 0.1,
    targets: Sequence[str] = VICUNA_ATTENTION,
) -> PreTrainedModel:
    """FAVOR's LoRA on attention; everything else of the language model is frozen."""
    config = LoraConfig(
        task_type="CAUSAL_LM", r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=list(targets)
    )
    return get_peft_model(llm, config)


@dataclass(frozen=True)
class InputConfig:
    """What the encoders gave.

    Attributes:
        visual_tokens: vectors a frame; the rows after them stay zero.
        project_visual: False: pictures go in as they are, as in FAVOR, whose visual vectors (a BLIP
            Q-Former's) are as wide as the model.
        beats_width: 768 where a second sound encoder stands beside Whisper, as in video-SALMONN; 0: none.
        beats_column: the corpus's column of it.
    """

    visual_tokens: int
    visual_width: int
    audio_width: int
    project_visual: bool = True
    beats_width: int = 0
    beats_column: str = "beats"

    @classmethod
    def of(cls, collate: Synchronise, project_visual: bool = True) -> Self:
        return cls(collate.visual_tokens, collate.visual_width, collate.audio_width, project_visual)

    @property
    def halves(self) -> int:
        """How many vectors of the model's width are joined on features."""
        return 3 if self.beats_width else 2


class AudioVisualInput(nn.Module):
    """Projects each modality to the Q-Former's width and joins them on features.

    Raises:
        ValueError: pictures that are not to be projected are not as wide as the model.
    """

    def __init__(self, config: InputConfig, width: int = 768) -> None:
        super().__init__()
        if not config.project_visual and config.visual_width != width:
            raise ValueError(
                f"pictures {config.visual_width} wide do not fit a model {width} wide without a projection"
            )
        self.config = config
        self.visual = nn.Linear(config.visual_width, width) if config.project_visual else nn.Identity()
        self.audio = nn.Linear(config.audio_width, width)
        self.beats = nn.Linear(config.beats_width, width) if config.beats_width else None

    def forward(self, batch: AudioVisualBatch, beats: torch.Tensor | None = None) -> torch.Tensor:
        """[B, T, P, 2 width], of what is missing or padding zeros: the projections' biases too.

        With `beats` [B, T, P, 768], the batch's own where none is given, which shares the sound's mask:
        [B, T, P, 3 width].
        """
        if beats is None and self.config.beats_column in batch.more:
            beats = batch.more[self.config.beats_column].features
        dtype = self.audio.weight.dtype
        row = torch.arange(batch.audio.shape[2], device=batch.audio.device)
        modality = batch.modality_mask.bool()[:, :, None]
        has_picture = (batch.visual_mask & modality[:, 0])[..., None] & (row < self.config.visual_tokens)
        has_sound = (batch.audio_mask & modality[:, 1])[..., None] & (row < VECTORS_PER_STEP)
        parts = [
            self.visual(batch.visual.to(dtype)) * has_picture[..., None],
            self.audio(batch.audio.to(dtype)) * has_sound[..., None],
        ]
        if self.beats is not None:
            if beats is None:
                raise ValueError("this model reads BEATs beside Whisper: the batch has none")
            parts.append(self.beats(beats.to(dtype)) * has_sound[..., None])
        return torch.cat(parts, dim=-1)


class Favor(nn.Module):
    """The trainable whole; the encoders ran before, in the corpus."""

    def __init__(
        self,
        config: QFormerConfig,
        inputs: InputConfig,
        llm: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
    ) -> None:
        super().__init__()
        self.input = AudioVisualInput(inputs, config.feature_width // inputs.halves)
        self.qformer = CausalQFormer(config)
        self.llm = llm
        self.projection = nn.Linear(config.output_width, llm.config.get_text_config().hidden_size)
        self.tokenizer = tokenizer

    def tokens(
        self, batch: AudioVisualBatch, beats: torch.Tensor | None = None
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Each sample's tokens [N, LLM width] and the diversity loss: that of the longest windows."""
        output = self.qformer(self.input(batch, beats), batch.steps)
        projected = self.projection(output.tokens)
        resolutions = self.qformer.config.resolutions
        longest = max(range(len(resolutions)), key=lambda index: resolutions[index].steps)
        lengths = output.lengths.tolist()
        tokens = [rows[:length] for rows, length in zip(projected, lengths, strict=True)]
        return tokens, diversity_loss(output.queries[longest])

    def forward(
        self,
        batch: AudioVisualBatch,
        conversations: Sequence[Turns | None],
        answer_tokens: torch.Tensor | float | None = None,
    ) -> Losses:
        """Loss on the answers; a sample of weight 0 (a fill at the end of an epoch) counts nothing.

        Args:
            answer_tokens: what the answers' summed loss is divided by; None: the batch's own number. A step
                of several batches gives that of all of them.

        Raises:
            ConversationError: a sample's conversation cannot be learnt from.
        """
        tokens, diversity = self.tokens(batch)
        prompts = self.prompts(batch, conversations)
        embedded = [self._embed(prompt, rows) for prompt, rows in zip(prompts, tokens, strict=True)]
        labels = [
            functional.pad(prompt.labels, (len(rows) - len(prompt.labels), 0), value=IGNORED)
            for prompt, rows in zip(prompts, embedded, strict=True)
        ]
        inputs = pad_sequence(embedded, batch_first=True)
        lengths = torch.tensor([len(rows) for rows in embedded])
        attention = torch.arange(inputs.shape[1]) < lengths[:, None]
        logits = self.llm(inputs_embeds=inputs, attention_mask=attention.to(inputs.device)).logits
        target = pad_sequence(labels, batch_first=True, padding_value=IGNORED).to(logits.device)
        target = target.masked_fill(batch.weight[:, None] == 0, IGNORED)
        if answer_tokens is None:
            answer_tokens = (target[:, 1:] != IGNORED).sum().clamp(min=1)
        answer = _summed_loss(logits[:, :-1], target[:, 1:]) / answer_tokens
        return Losses(answer + DIVERSITY_FACTOR * diversity, answer, diversity)

    def prompts(self, batch: AudioVisualBatch, conversations: Sequence[Turns | None]) -> list[Prompt]:
        """Raises:
        ConversationError: names the sample.
        """
        prompts = []
        for sample, turns in zip(batch.samples, conversations, strict=True):
            try:
                prompts.append(build_prompt(self.tokenizer, turns or ()))
            except ConversationError as error:
                raise ConversationError(f"sample {sample.id} ({sample.key}): {error}") from error
        return prompts

    def answer_tokens(self, batch: AudioVisualBatch, conversations: Sequence[Turns | None]) -> int:
        """How many tokens the batch's loss is summed over."""
        return sum(
            int((prompt.labels != IGNORED).sum())
            for prompt, weight in zip(self.prompts(batch, conversations), batch.weight.tolist(), strict=True)
            if weight
        )

    @torch.no_grad()
    def generate(self, batch: AudioVisualBatch, conversations: Sequence[Turns], **options: Any) -> list[str]:
        """An answer to each conversation, whose last turn is a question.

        `options` go to Hugging Face's `generate`; greedy unless they say otherwise.
        """
        tokens, _ = self.tokens(batch)
        prompts = self.prompts(batch, conversations)
        embedded = [self._embed(prompt, rows) for prompt, rows in zip(prompts, tokens, strict=True)]
        inputs = pad_sequence(embedded, batch_first=True, padding_side="left")
        lengths = torch.tensor([len(rows) for rows in embedded])
        attention = torch.arange(inputs.shape[1]) >= inputs.shape[1] - lengths[:, None]
        ids = self.llm.generate(
            inputs_embeds=inputs,
            attention_mask=attention.to(inputs.device, torch.long),
            pad_token_id=self.tokenizer.eos_token_id,
            **{"do_sample": False, **options},
        )
        return [text.strip() for text in self.tokenizer.batch_decode(ids, skip_special_tokens=True)]

    def _embed(self, prompt: Prompt, tokens: torch.Tensor) -> torch.Tensor:
        """[before + tokens + after, LLM width]."""
        embedding = self.llm.get_input_embeddings()
        before, after = (embedding(ids.to(tokens.device)) for ids in (prompt.before, prompt.after))
        return torch.cat([before, tokens.to(before.dtype), after])


def _summed_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Over answer tokens, in float32 at least; 0, with gradients of 0, where a batch has none."""
    logits = logits.flatten(0, 1)
    logits = logits if logits.dtype == torch.float64 else logits.float()
    return functional.cross_entropy(logits, target.flatten(), ignore_index=IGNORED, reduction="sum")
