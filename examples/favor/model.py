"""FAVOR: synchronised features -> causal Q-Former -> a Hugging Face causal language model with LoRA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from examples.favor.prompt import IGNORED, Prompt, Turns, build_prompt
from examples.favor.qformer import CausalQFormer, QFormerConfig, diversity_loss
from loaders.synchronise import AudioVisualBatch
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


class AudioVisualInput(nn.Module):
    """Projects each modality to the Q-Former's half width and joins them on features."""

    def __init__(self, visual_width: int, audio_width: int, width: int = 768) -> None:
        super().__init__()
        # FAVOR's visual vectors are 768 wide already (a BLIP Q-Former's); only audio has a Linear there.
        self.visual = nn.Identity() if visual_width == width else nn.Linear(visual_width, width)
        self.audio = nn.Linear(audio_width, width)

    def forward(self, batch: AudioVisualBatch) -> torch.Tensor:
        """[B, T, P, 2 width]. What is missing or padding is zero after the projection too, bias and all."""
        dtype = self.audio.weight.dtype
        audio_rows = torch.arange(batch.audio.shape[2], device=batch.audio.device) < VECTORS_PER_STEP
        visual = self.visual(batch.visual.to(dtype)) * batch.visual_mask[:, :, None, None]
        audio = self.audio(batch.audio.to(dtype)) * (batch.audio_mask[:, :, None] & audio_rows)[..., None]
        modality = batch.modality_mask.to(dtype)[:, :, None, None, None]
        return torch.cat([visual * modality[:, 0], audio * modality[:, 1]], dim=-1)


class Favor(nn.Module):
    """The trainable whole; the encoders ran before, in the corpus."""

    def __init__(
        self,
        config: QFormerConfig,
        visual_width: int,
        audio_width: int,
        llm: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
    ) -> None:
        super().__init__()
        self.input = AudioVisualInput(visual_width, audio_width, config.feature_width // 2)
        self.qformer = CausalQFormer(config)
        self.llm = llm
        self.projection = nn.Linear(config.output_width, llm.config.get_text_config().hidden_size)
        self.tokenizer = tokenizer

    def tokens(self, batch: AudioVisualBatch) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Each sample's tokens [N, LLM width] and the diversity loss."""
        output = self.qformer(self.input(batch), batch.steps)
        projected = self.projection(output.tokens).to(self.llm.dtype)
        diversity = torch.stack([diversity_loss(queries) for queries in output.queries]).mean()
        lengths = output.lengths.tolist()
        return [rows[:length] for rows, length in zip(projected, lengths, strict=True)], diversity

    def forward(self, batch: AudioVisualBatch, conversations: Sequence[Turns]) -> Losses:
        """Loss on the answers; a sample of weight 0 (a fill at the end of an epoch) counts nothing."""
        tokens, diversity = self.tokens(batch)
        prompts = [build_prompt(self.tokenizer, turns) for turns in conversations]
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
        answer = _answer_loss(logits[:, :-1], target[:, 1:])
        return Losses(answer + DIVERSITY_FACTOR * diversity, answer, diversity)

    @torch.no_grad()
    def generate(self, batch: AudioVisualBatch, questions: Sequence[str], **options: Any) -> list[str]:
        """An answer a sample. `options` go to Hugging Face's `generate`; greedy unless they say otherwise."""
        tokens, _ = self.tokens(batch)
        prompts = [build_prompt(self.tokenizer, [{"from": "human", "value": text}]) for text in questions]
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


def _answer_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean over answer tokens; 0, with gradients of 0, where a batch has none."""
    total = functional.cross_entropy(
        logits.flatten(0, 1).float(), target.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return total / (target != IGNORED).sum().clamp(min=1)
