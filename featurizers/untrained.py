"""Seeded random weights (`random:SIZE`), the same bits on every machine, for smoke tests and benchmarks."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
import torch
from torch import nn

from schemas.digest import digest

RECIPE = 1


def untrained_digest(shape: dict[str, Any]) -> str:
    """What stands for the weights' SHA-256; `shape` is the model's configuration."""
    return digest({"untrained": RECIPE, "shape": shape})


@torch.no_grad()
def fill(module: nn.Module) -> None:
    """Overwrites every parameter: matrices uniform with variance 1 / fan-in, norms one, biases zero.

    Integers from PCG64, scaled: torch's own generators give other bits on CPUs with other vector units.
    """
    for name, parameter in module.named_parameters():
        if parameter.ndim < 2 and not name.endswith("class_embedding"):
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
            continue
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
        integers = np.random.Generator(np.random.PCG64(seed)).integers(
            -32768, 32768, size=tuple(parameter.shape), dtype=np.int16
        )
        fan_in = parameter[0].numel()
        scale = np.float32(math.sqrt(3 / fan_in) / 32768)
        parameter.copy_(torch.from_numpy(integers.astype(np.float32) * scale))
