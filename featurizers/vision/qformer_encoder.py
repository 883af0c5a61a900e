"""Loaded Q-Formers, transformers' own, on a vision tower: with one prompt for all, or one a question."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import transformers

from featurizers.errors import ModelUnavailable
from featurizers.featurizer import Asked, Features
from featurizers.running import checkpoints
from featurizers.running.batches import FixedBatches
from featurizers.running.tensors import CheckpointTensors, part
from featurizers.running.transfer import upload
from featurizers.vision.description import BATCH_CPU, BATCH_GPU
from featurizers.vision.encoder import VisionEncoder
from featurizers.vision.qformer import TOKENIZER, PromptedFeaturizer, QFormerFeaturizer

LONGEST_PROMPT = 512  # tokens, of BERT's positions


class QFormer:
    """Transformers' own module, with its queries."""

    def __init__(self, featurizer: QFormerFeaturizer) -> None:
        """Raises:
        ModelUnavailable: weights that cannot be read.
        """
        self._featurizer = featurizer
        self._instructed = featurizer.family() == "instructblip"
        self._device, self._dtype = featurizer.arithmetic.device, featurizer.arithmetic.torch_dtype
        self._module = _qformer(featurizer, self._instructed).eval().to(self._device, self._dtype)
        tensors = CheckpointTensors(featurizer.model, part("query_tokens"))
        self._queries = tensors.everything()[""].to(self._device, self._dtype)

    @property
    def shape(self) -> tuple[int, int]:
        """Queries, d."""
        return self._queries.shape[1], self._queries.shape[2]

    def prompt(self, text: str) -> torch.Tensor | None:
        """int64 [1, length], as InstructBLIP's processor makes them; None of no text.

        Raises:
            ModelUnavailable: this Q-Former reads none, or its tokenizer is missing.
        """
        return _prompt_ids(self._featurizer, text, self._instructed)

    @torch.inference_mode()
    def __call__(self, hidden: torch.Tensor, prompt: torch.Tensor | None) -> torch.Tensor:
        """[size, queries, d] of a vision tower's [size, 1 + patches, width]."""
        size = len(hidden)
        given: dict[str, Any] = {"query_embeds": self._queries.expand(size, -1, -1)}
        if self._instructed:
            given["input_ids"] = None if prompt is None else prompt.to(self._device).expand(size, -1)
        made: torch.Tensor = self._module(
            encoder_hidden_states=hidden.to(self._dtype), **given
        ).last_hidden_state
        return made[:, : self.shape[0]]


def load(featurizer: QFormerFeaturizer) -> VisionEncoder:
    """The encoder that a featurizer describes.

    Raises:
        ModelUnavailable: weights that cannot be read, or a prompt that this Q-Former does not read.
    """
    pre = featurizer.preprocessing()
    tower, qformer = featurizer.tower(pre), QFormer(featurizer)
    prompt = qformer.prompt(featurizer.prompt)

    def forward(frames: Sequence[npt.NDArray[Any]], size: int) -> torch.Tensor:
        return qformer(tower(frames, size), prompt)

    return VisionEncoder(forward, pre.size, qformer.shape, featurizer.arithmetic)


def load_prompted(featurizer: PromptedFeaturizer) -> PromptedEncoder:
    """Raises:
    ModelUnavailable: weights or a tokenizer that cannot be read.
    """
    pre = featurizer.preprocessing()
    tower, qformer = featurizer.tower(pre), QFormer(featurizer)
    qformer.prompt("?")  # so that a tokenizer that is missing is missed now
    tokens = (1 + (pre.size // tower.patch) ** 2, tower.width)
    return PromptedEncoder(VisionEncoder(tower, pre.size, tokens, featurizer.arithmetic), qformer, featurizer)


class PromptedEncoder:
    """A vision tower's tokens, and a Q-Former that reads them once a question."""

    def __init__(self, tower: VisionEncoder, qformer: QFormer, featurizer: PromptedFeaturizer) -> None:
        self._tower = tower
        self._qformer = qformer
        self._unasked = featurizer.prompt
        self._device = featurizer.arithmetic.device
        self._batches = FixedBatches(BATCH_CPU if self._device == "cpu" else BATCH_GPU)
        self._lock = threading.Lock()

    def encode(self, inputs: Sequence[Asked]) -> list[Features]:
        """[n, size, size, 3] and their questions -> float16 [questions, n, queries, d], each; where
        nothing is asked, one of what is read then."""
        seen = self._tower.encode([item.frames for item in inputs])
        with self._lock:
            return [
                Features(
                    np.stack([self._read(tokens.array, text) for text in item.questions or (self._unasked,)])
                )
                for item, tokens in zip(inputs, seen, strict=True)
            ]

    def _read(self, tokens: npt.NDArray[np.float16], question: str) -> npt.NDArray[np.float16]:
        prompt = self._qformer.prompt(question)

        def forward(rows: Sequence[npt.NDArray[Any]], size: int) -> torch.Tensor:
            return self._qformer(upload(rows, (size, *rows[0].shape), self._device), prompt)

        [made] = self._batches.run([tokens], self._qformer.shape, forward)
        return made


def _qformer(featurizer: QFormerFeaturizer, instructed: bool) -> torch.nn.Module:
    name = "InstructBlipQFormer" if instructed else "Blip2QFormer"
    config = getattr(transformers, f"{name}Config")(**featurizer.config().get("qformer_config", {}))
    qformer: torch.nn.Module = getattr(transformers, f"{name}Model")(config)
    tensors = CheckpointTensors(featurizer.model, part("qformer."))
    # Names that older versions saved as well are ignored.
    missing = qformer.load_state_dict(tensors.everything(), strict=False, assign=True).missing_keys
    if missing:
        raise ModelUnavailable(f"{featurizer.model!r} lacks {tensors.prefix}{missing[0]}")
    return qformer


def _prompt_ids(featurizer: QFormerFeaturizer, text: str, instructed: bool) -> torch.Tensor | None:
    if not text:
        return None
    if not instructed:
        raise ModelUnavailable(f"{featurizer.model!r}: BLIP-2's Q-Former reads no prompt; leave it out")
    path = checkpoints.folder(featurizer.model) / TOKENIZER
    if not path.is_dir():
        raise ModelUnavailable(f"{path} is missing: a prompt needs the Q-Former's tokenizer there")
    longest = featurizer.config().get("qformer_config", {}).get("max_position_embeddings", LONGEST_PROMPT)
    tokens = _tokenizer(path)(text, truncation=True, max_length=longest)
    return torch.tensor([tokens["input_ids"]])


@cache
def _tokenizer(path: Path) -> Any:
    return transformers.AutoTokenizer.from_pretrained(path, local_files_only=True)
