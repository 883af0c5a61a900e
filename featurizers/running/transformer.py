"""The pre-norm transformer that Whisper's encoder and CLIP's vision tower have in common."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

_BLOCK = 512  # rows
_LOG = logging.getLogger(__name__)

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

    On a CPU with AMX the order in which oneDNN adds up a bfloat16 product depends on the number of threads
    (torch 2.11; not with AVX512-BF16): there every thread computes blocks of rows of one fixed size.
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
        self.by_rows = self.packed and dtype == torch.bfloat16 and torch.cpu._is_amx_tile_supported()

    def __call__(self, x: Tensor) -> Tensor:
        if self.packed:
            return self._rows(x) if self.by_rows else self._onednn(x)
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

    def _rows(self, x: Tensor) -> Tensor:
        """Threads share the blocks out; each works on its own by one thread of oneDNN's."""
        blocks = torch.split(x.reshape(-1, x.shape[-1]), _BLOCK)
        threads = min(torch.get_num_threads(), len(blocks))
        inference = torch.is_inference_mode_enabled()

        def every(first: int) -> list[Tensor]:
            with torch.inference_mode(inference):
                return [self._onednn(block) for block in blocks[first::threads]]

        shares = list(_pool().map(every, range(threads)))
        rows = [shares[number % threads][number // threads] for number in range(len(blocks))]
        return torch.cat(rows).reshape(*x.shape[:-1], -1)


@cache
def _pool() -> ThreadPoolExecutor:
    most = os.cpu_count()  # a thread is made when it is first needed
    return ThreadPoolExecutor(most, "linear", initializer=torch.set_num_threads, initargs=(1,))


os.register_at_fork(after_in_child=_pool.cache_clear)


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

    def attention(self, normed: Tensor) -> Tensor:
        rows, length, width = normed.shape
        qkv = self.qkv(normed).view(rows, length, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(normed.shape)
        return self.out(mixed)

    def mlp(self, normed: Tensor) -> Tensor:
        return self.down(self.up(normed))


def through(blocks: Sequence[Block], x: Tensor, last_norm: Norm | None) -> Tensor:
    """[rows, length, d] through the blocks, and `last_norm` if there is one. `x` is not to be used again."""
    normed = blocks[0].attention_norm(x)
    after = [*(block.attention_norm for block in blocks[1:]), last_norm]
    for block, norm in zip(blocks, after, strict=True):
        x, normed = _add_norm(x, block.attention(normed), block.mlp_norm)
        update = block.mlp(normed)
        if norm is None:
            return x + update
        x, normed = _add_norm(x, update, norm)
    return normed


def _add_norm(x: Tensor, update: Tensor, norm: Norm) -> tuple[Tensor, Tensor]:
    if x.is_cuda and (fused := _fused()):
        return x, fused(x, update, norm.weight, norm.bias, norm.eps)
    x = x + update
    return x, norm(x)


@cache
def _fused() -> Callable[[Tensor, Tensor, Tensor, Tensor, float], Tensor] | None:
    """None where Triton cannot be used: the same features within rounding, in a little more time."""
    try:
        from featurizers.running.add_norm import add_norm

        row = torch.ones(1, 16, device="cuda")
        add_norm(row, row.clone(), row[0].clone(), row[0].clone(), 1e-5)
    except Exception as error:  # noqa: BLE001 - its compiler, its folder, its driver: each fails in its own way
        _LOG.info("without Triton: %s", error)
        return None
    return add_norm
