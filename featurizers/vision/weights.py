"""CLIP's, SigLIP's and EVA-CLIP's tensors to a vision tower."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from featurizers.errors import ModelUnavailable
from featurizers.featurizer import Arithmetic
from featurizers.running.building import Builder
from featurizers.running.tensors import Tensors
from featurizers.running.transformer import Activation, Block, Linear, Norm
from featurizers.vision.preprocessing import Preprocessing
from featurizers.vision.shape import VisionShape
from featurizers.vision.tower import VisionTower

_SILU_PER_QUICK_GELU = 1.702


@dataclass(frozen=True)
class _VisionBuilder(Builder):
    """Names are those of transformers' CLIPVisionModel, SiglipVisionModel and Blip2VisionModel."""

    shape: VisionShape

    def qkv(self, attention: str) -> tuple[Tensor, Tensor]:
        """Queries, keys and values side by side."""
        parts = [self.pair(f"{attention}.{part}_proj", self.width, self.width) for part in "qkv"]
        return torch.cat([weight for weight, _ in parts]), torch.cat([bias for _, bias in parts])

    def fused_qkv(self, attention: str) -> tuple[Tensor, Tensor | None]:
        """As `qkv`, of a checkpoint that has them side by side."""
        weight = self.tensors(f"{attention}.qkv.weight", 3 * self.width, self.width)
        return weight, self.tensors(f"{attention}.qkv.bias", 3 * self.width) if self.shape.qkv_bias else None

    def block(self, name: str, fused: bool) -> Block:
        width, mlp = self.width, self.shape.mlp
        attention = f"{name}.self_attn"
        up, up_bias = self.pair(f"{name}.mlp.fc1", mlp, width)
        down, down_bias = self.pair(f"{name}.mlp.fc2", width, mlp)
        activation, scale = _activation(self.shape.activation)
        out = f"{attention}.projection" if fused else f"{attention}.out_proj"
        return Block(
            attention_norm=self.norm(f"{name}.layer_norm1"),
            qkv=self.linear(*(self.fused_qkv if fused else self.qkv)(attention)),
            out=self.linear(*self.pair(out, width, width)),
            mlp_norm=self.norm(f"{name}.layer_norm2"),
            up=self.linear(up * scale, up_bias * scale, activation),
            down=self.linear(down / scale, down_bias),
            heads=self.shape.heads,
        )

    def patches(self) -> Tensor:
        """[d, 3 * patch * patch]"""
        patch = self.shape.patch
        return self.tensors("embeddings.patch_embedding.weight", self.width, 3, patch, patch).flatten(1)

    def patch_bias(self) -> Tensor:
        return self.tensors("embeddings.patch_embedding.bias", self.width)

    def tower(
        self,
        preprocessing: Preprocessing,
        *,
        embed: Linear,
        class_token: Tensor | None,
        positions: Tensor,
        fused: bool = False,
        first_norm: Norm | None = None,
        last_norm: Norm | None = None,
    ) -> VisionTower:
        channels = torch.tensor(preprocessing.std, dtype=torch.float32)
        device = self.arithmetic.device
        return VisionTower(
            arithmetic=self.arithmetic,
            patch=self.shape.patch,
            scale=(1 / (255 * channels)).to(device),
            shift=(-torch.tensor(preprocessing.mean, dtype=torch.float32) / channels).to(device),
            embed=embed,
            class_token=None if class_token is None else self.placed(class_token),
            positions=self.placed(positions),
            first_norm=first_norm,
            blocks=[self.block(f"encoder.layers.{layer}", fused) for layer in range(self.shape.layers)],
            last_norm=last_norm,
        )


def clip_tower(
    tensors: Tensors,
    shape: VisionShape,
    preprocessing: Preprocessing,
    arithmetic: Arithmetic,
) -> VisionTower:
    """CLIP's: a class token, normalised before the first block; after the last, only what is pooled."""
    build = _VisionBuilder(tensors, arithmetic, shape.width, shape.eps, shape)
    return build.tower(
        preprocessing,
        embed=build.linear(build.patches(), None),
        class_token=tensors("embeddings.class_embedding", shape.width),
        positions=tensors("embeddings.position_embedding.weight", 1 + shape.patches, shape.width),
        first_norm=build.norm("pre_layrnorm"),
    )


def siglip_tower(
    tensors: Tensors,
    shape: VisionShape,
    preprocessing: Preprocessing,
    arithmetic: Arithmetic,
) -> VisionTower:
    """SigLIP's: no class token."""
    build = _VisionBuilder(tensors, arithmetic, shape.width, shape.eps, shape)
    return build.tower(
        preprocessing,
        embed=build.linear(build.patches(), build.patch_bias()),
        class_token=None,
        positions=tensors("embeddings.position_embedding.weight", shape.patches, shape.width),
        last_norm=build.norm("post_layernorm"),
    )


def eva_tower(
    tensors: Tensors,
    shape: VisionShape,
    preprocessing: Preprocessing,
    arithmetic: Arithmetic,
) -> VisionTower:
    """EVA-CLIP's, as BLIP-2 and InstructBLIP have it."""
    build = _VisionBuilder(tensors, arithmetic, shape.width, shape.eps, shape)
    return build.tower(
        preprocessing,
        embed=build.linear(build.patches(), build.patch_bias()),
        class_token=tensors("embeddings.class_embedding", 1, 1, shape.width)[0, 0],
        positions=tensors("embeddings.position_embedding", 1, 1 + shape.patches, shape.width)[0],
        fused=True,
        last_norm=build.norm("post_layernorm"),
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
