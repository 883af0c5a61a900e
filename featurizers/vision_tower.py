"""A vision transformer's forward pass: uint8 frames to token vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from featurizers.arithmetic import Arithmetic
from featurizers.featurizer import ModelUnavailable
from featurizers.transformer import Activation, Block, Linear, Norm

_SILU_PER_QUICK_GELU = 1.702


@dataclass(frozen=True)
class VisionTower:
    """CLIP's, SigLIP's or EVA-CLIP's; None: it has no such part. `scale` and `shift` normalise uint8."""

    arithmetic: Arithmetic
    patch: int
    scale: Tensor
    shift: Tensor
    embed: Linear
    class_token: Tensor | None
    positions: Tensor
    first_norm: Norm | None
    blocks: Sequence[Block]
    last_norm: Norm | None

    @property
    def width(self) -> int:
        """d: values a token."""
        return self.positions.shape[-1]

    @torch.inference_mode()
    def __call__(self, frames: Sequence[npt.NDArray[np.uint8]], size: int) -> Tensor:
        """[size, (1 +) patches, d] last hidden state of uint8 [side, side, 3] frames; black fills up."""
        side = frames[0].shape[0]
        pixels = np.zeros((size, side, side, 3), np.uint8)
        np.stack(frames, out=pixels[: len(frames)])
        x = torch.from_numpy(pixels).to(self.arithmetic.device).float() * self.scale + self.shift
        grid = side // self.patch
        x = x.to(self.arithmetic.torch_dtype).view(size, grid, self.patch, grid, self.patch, 3)
        patches = x.permute(0, 1, 3, 5, 2, 4).reshape(size, grid * grid, 3 * self.patch * self.patch)
        x = self.embed(patches)
        if self.class_token is not None:
            x = torch.cat([self.class_token.expand(size, 1, -1), x], dim=1)
        x = x + self.positions
        if self.first_norm is not None:
            x = self.first_norm(x)
        for block in self.blocks:
            x = block(x)
        return x if self.last_norm is None else self.last_norm(x)


def clip_tower(
    model: Any, mean: Sequence[float], std: Sequence[float], arithmetic: Arithmetic
) -> VisionTower:
    """The tower of a transformers CLIPVisionModel (float32, on the CPU)."""
    return _tower(
        model,
        mean,
        std,
        arithmetic,
        class_token=model.embeddings.class_embedding,
        positions=model.embeddings.position_embedding.weight,
        first_norm=_norm(model.pre_layrnorm, arithmetic),
        last_norm=None,  # CLIP normalises only what it pools
    )


def siglip_tower(
    model: Any, mean: Sequence[float], std: Sequence[float], arithmetic: Arithmetic
) -> VisionTower:
    """The tower of a transformers SiglipVisionModel (float32, on the CPU)."""
    return _tower(
        model,
        mean,
        std,
        arithmetic,
        class_token=None,
        positions=model.embeddings.position_embedding.weight,
        first_norm=None,
        last_norm=_norm(model.post_layernorm, arithmetic),
    )


def eva_tower(model: Any, mean: Sequence[float], std: Sequence[float], arithmetic: Arithmetic) -> VisionTower:
    """The tower of a transformers Blip2VisionModel or InstructBlipVisionModel (float32, on the CPU)."""
    return _tower(
        model,
        mean,
        std,
        arithmetic,
        class_token=model.embeddings.class_embedding[0, 0],
        positions=model.embeddings.position_embedding[0],
        first_norm=None,
        last_norm=_norm(model.post_layernorm, arithmetic),
    )


def _tower(
    model: Any,
    mean: Sequence[float],
    std: Sequence[float],
    arithmetic: Arithmetic,
    *,
    class_token: Tensor | None,
    positions: Tensor,
    first_norm: Norm | None,
    last_norm: Norm | None,
) -> VisionTower:
    device, dtype = arithmetic.device, arithmetic.torch_dtype
    channels = torch.tensor(std, dtype=torch.float32)
    patches = model.embeddings.patch_embedding
    return VisionTower(
        arithmetic=arithmetic,
        patch=model.config.patch_size,
        scale=(1 / (255 * channels)).to(device),
        shift=(-torch.tensor(mean, dtype=torch.float32) / channels).to(device),
        embed=Linear(patches.weight.flatten(1), patches.bias, device, dtype),
        class_token=None if class_token is None else class_token.to(device, dtype),
        positions=positions.to(device, dtype),
        first_norm=first_norm,
        blocks=[_block(layer, model.config, arithmetic) for layer in model.encoder.layers],
        last_norm=last_norm,
    )


def _qkv(attention: Any) -> tuple[Tensor, Tensor | None, Any]:
    """Weight and bias of queries, keys and values side by side, and the output projection."""
    if hasattr(attention, "qkv"):
        return attention.qkv.weight, attention.qkv.bias, attention.projection
    parts = (attention.q_proj, attention.k_proj, attention.v_proj)
    return torch.cat([p.weight for p in parts]), torch.cat([p.bias for p in parts]), attention.out_proj


def _block(layer: Any, config: Any, arithmetic: Arithmetic) -> Block:
    device, dtype = arithmetic.device, arithmetic.torch_dtype
    weight, bias, out = _qkv(layer.self_attn)
    up, down = layer.mlp.fc1, layer.mlp.fc2
    activation, scale = _activation(config.hidden_act)
    return Block(
        attention_norm=_norm(layer.layer_norm1, arithmetic),
        qkv=Linear(weight, bias, device, dtype),
        out=Linear(out.weight, out.bias, device, dtype),
        mlp_norm=_norm(layer.layer_norm2, arithmetic),
        up=Linear(up.weight * scale, up.bias * scale, device, dtype, activation),
        down=Linear(down.weight / scale, down.bias, device, dtype),
        heads=config.num_attention_heads,
    )


def _activation(name: str) -> tuple[Activation, float]:
    """A fused activation a and a scale s: hidden_act(x) = a(s x) / s.

    CLIP's quick_gelu, x sigmoid(1.702 x), is silu(1.702 x) / 1.702.
    """
    match name:
        case "quick_gelu":
            return "silu", _SILU_PER_QUICK_GELU
        case "gelu":
            return "gelu", 1.0
        case "gelu_pytorch_tanh" | "gelu_new":
            return "gelu_tanh", 1.0
    raise ModelUnavailable(f"the activation {name!r} of this checkpoint is not known here")


def _norm(norm: nn.LayerNorm, arithmetic: Arithmetic) -> Norm:
    device, dtype = arithmetic.device, arithmetic.torch_dtype
    return Norm(norm.weight.to(device, dtype), norm.bias.to(device, dtype), norm.eps)
