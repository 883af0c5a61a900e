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
from featurizers.transformer import Activation, Block, Linear, Norm

_SILU_PER_QUICK_GELU = 1.702


@dataclass(frozen=True)
class VisionTower:
    """CLIP's vision tower. `scale` and `shift` turn uint8 channels into the encoder's normalised ones."""

    arithmetic: Arithmetic
    patch: int
    scale: Tensor
    shift: Tensor
    embed: Linear
    class_token: Tensor
    positions: Tensor
    first_norm: Norm
    blocks: Sequence[Block]

    @torch.inference_mode()
    def __call__(self, frames: Sequence[npt.NDArray[np.uint8]], size: int) -> Tensor:
        """[size, 1 + patches, d] last hidden state of uint8 [side, side, 3] frames, filled up with black."""
        side = frames[0].shape[0]
        pixels = np.zeros((size, side, side, 3), np.uint8)
        np.stack(frames, out=pixels[: len(frames)])
        x = torch.from_numpy(pixels).to(self.arithmetic.device).float() * self.scale + self.shift
        grid = side // self.patch
        x = x.to(self.arithmetic.torch_dtype).view(size, grid, self.patch, grid, self.patch, 3)
        patches = x.permute(0, 1, 3, 5, 2, 4).reshape(size, grid * grid, 3 * self.patch * self.patch)
        x = torch.cat([self.class_token.expand(size, 1, -1), self.embed(patches)], dim=1) + self.positions
        x = self.first_norm(x)
        for block in self.blocks:
            x = block(x)
        return x


def clip_tower(
    model: Any, mean: Sequence[float], std: Sequence[float], arithmetic: Arithmetic
) -> VisionTower:
    """The tower of a transformers CLIPVisionModel (float32, on the CPU)."""
    config = model.config
    device, dtype = arithmetic.device, arithmetic.torch_dtype
    embeddings = model.embeddings
    channels = torch.tensor(std, dtype=torch.float32)
    return VisionTower(
        arithmetic=arithmetic,
        patch=config.patch_size,
        scale=(1 / (255 * channels)).to(device),
        shift=(-torch.tensor(mean, dtype=torch.float32) / channels).to(device),
        embed=Linear(embeddings.patch_embedding.weight.flatten(1), None, device, dtype),
        class_token=embeddings.class_embedding.to(device, dtype),
        positions=embeddings.position_embedding.weight.to(device, dtype),
        first_norm=_norm(model.pre_layrnorm, arithmetic),
        blocks=[_clip_block(layer, config, arithmetic) for layer in model.encoder.layers],
    )


def _clip_block(layer: Any, config: Any, arithmetic: Arithmetic) -> Block:
    device, dtype = arithmetic.device, arithmetic.torch_dtype
    attention, mlp = layer.self_attn, layer.mlp
    projections = (attention.q_proj, attention.k_proj, attention.v_proj)
    up, down = mlp.fc1, mlp.fc2
    activation, scale = _activation(config.hidden_act)
    return Block(
        attention_norm=_norm(layer.layer_norm1, arithmetic),
        qkv=Linear(
            torch.cat([p.weight for p in projections]),
            torch.cat([p.bias for p in projections]),
            device,
            dtype,
        ),
        out=Linear(attention.out_proj.weight, attention.out_proj.bias, device, dtype),
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
    raise ValueError(f"activation {name!r} is not known here")


def _norm(norm: nn.LayerNorm, arithmetic: Arithmetic) -> Norm:
    device, dtype = arithmetic.device, arithmetic.torch_dtype
    return Norm(norm.weight.to(device, dtype), norm.bias.to(device, dtype), norm.eps)
