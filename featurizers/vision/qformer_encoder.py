"""A loaded Q-Former, transformers' own, on a vision tower."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import torch
import transformers

from featurizers.errors import ModelUnavailable
from featurizers.running import checkpoints
from featurizers.running.tensors import CheckpointTensors, part
from featurizers.vision.encoder import VisionEncoder
from featurizers.vision.qformer import QFormerFeaturizer


def load(featurizer: QFormerFeaturizer) -> VisionEncoder:
    """The encoder that a featurizer describes.

    Raises:
        ModelUnavailable: weights that cannot be read, or a prompt that this Q-Former does not read.
    """
    pre = featurizer.preprocessing()
    tower = featurizer.tower(pre)
    instructed = featurizer.family() == "instructblip"
    device, dtype = featurizer.arithmetic.device, featurizer.arithmetic.torch_dtype
    qformer = _qformer(featurizer, instructed).eval().to(device, dtype)
    tensors = CheckpointTensors(featurizer.model, part("query_tokens"))
    queries = tensors.everything()[""].to(device, dtype)
    prompt = _prompt_ids(featurizer, instructed)

    @torch.inference_mode()
    def forward(frames: Sequence[npt.NDArray[Any]], size: int) -> torch.Tensor:
        given: dict[str, Any] = {"query_embeds": queries.expand(size, -1, -1)}
        if instructed:
            given["input_ids"] = None if prompt is None else prompt.to(device).expand(size, -1)
        hidden: torch.Tensor = qformer(encoder_hidden_states=tower(frames, size), **given).last_hidden_state
        return hidden[:, : queries.shape[1]]

    return VisionEncoder(forward, pre.size, (queries.shape[1], queries.shape[2]), featurizer.arithmetic)


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


def _prompt_ids(featurizer: QFormerFeaturizer, instructed: bool) -> torch.Tensor | None:
    """int64 [1, length], as InstructBLIP's processor makes them."""
    if not featurizer.prompt:
        return None
    if not instructed:
        raise ModelUnavailable(f"{featurizer.model!r}: BLIP-2's Q-Former reads no prompt; leave it out")
    path = checkpoints.folder(featurizer.model) / "qformer_tokenizer"
    if not path.is_dir():
        raise ModelUnavailable(f"{path} is missing: a prompt needs the Q-Former's tokenizer there")
    tokenizer = transformers.AutoTokenizer.from_pretrained(path, local_files_only=True)
    return torch.tensor([tokenizer(featurizer.prompt)["input_ids"]])
