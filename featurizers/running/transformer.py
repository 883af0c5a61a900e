"""The pre-norm transformer that Whisper's encoder and CLIP's vision tower have in common."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

Activation = Literal["none", "gelu", "gelu_tanh", "silu"]


@dataclass(frozen=True)
class Norm:
    """Layer normalisation over the last axis."""

    weight: Tensor
    bias: Tensor
    eps: float

    def __call__(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


class Linear:
    """activation(x W^T + b), weights converted and laid out once.

    On a CPU the product goes to oneDNN with its own weight layout and the activation fused: torch's own
    F.linear gives float32 to MKL, which on an AMD CPU reached 0.4 of oneDNN's speed, and re-packs
    bfloat16 weights on every call (0.8). Args: weight [out, in] and bias [out], float32.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        device: str,
        dtype: torch.dtype,
        activation: Activation = "none",
    ) -> None:
        self.activation = activation
        self.weight = weight.to(device, dtype).contiguous()
        self.bias = None if bias is None else bias.to(device, dtype).contiguous()
        self.packed = device == "cpu" and _onednn_has(dtype)
        if self.packed:
            self.weight = torch.ops.mkldnn._reorder_linear_weight(self.weight)

    def __call__(self, x: Tensor) -> Tensor:
        if self.packed:
            return self._onednn(x)
        x = F.linear(x, self.weight, self.bias)
        match self.activation:
            case "gelu":
                return F.gelu(x)
            case "gelu_tanh":
                return F.gelu(x, approximate="tanh")
            case "silu":
                return F.silu(x)
            case "none":
                return x

    def _onednn(self, x: Tensor) -> Tensor:
        name, algorithm = {
            "none": ("none", ""),
            "gelu": ("gelu", "none"),
            "gelu_tanh": ("gelu", "tanh"),
            "silu": ("swish", ""),
        }[self.activation]
        result: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, name, [], algorithm)
        return result


def _onednn_has(dtype: torch.dtype) -> bool:
    if platform.machine() not in ("x86_64", "AMD64") or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return dtype == torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@dataclass(frozen=True)
class Block:
    """x + attention(norm(x)), then x + mlp(norm(x)). `qkv` gives queries, keys and values side by side."""

    attention_norm: Norm
    qkv: Linear
    out: Linear
    mlp_norm: Norm
    up: Linear
    down: Linear
    heads: int

    def __call__(self, x: Tensor) -> Tensor:
        rows, length, width = x.shape
        qkv = self.qkv(self.attention_norm(x)).view(rows, length, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(x.shape)
        x = x + self.out(mixed)
        return x + self.down(self.up(self.mlp_norm(x)))
