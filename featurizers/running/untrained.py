"""Seeded random weights (`random:SIZE`), the same bits on every machine, for smoke tests and benchmarks."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.digest import digest

if TYPE_CHECKING:
    from torch import Tensor, nn

RECIPE = 1
_PREFIX = "random:"


class MayBeUntrained:
    """A featurizer whose `model` may be `random:SIZE`."""

    model: str

    @property
    def size(self) -> str | None:
        """SIZE; None where the weights are trained."""
        return self.model.removeprefix(_PREFIX) if self.untrained else None

    @property
    def untrained(self) -> bool:
        """True where the weights are random."""
        return self.model.startswith(_PREFIX)


def untrained_digest(shape: dict[str, Any]) -> str:
    """What stands for the weights' SHA-256; `shape` is the model's configuration."""
    return digest({"untrained": RECIPE, "shape": shape})


def tensor(name: str, *shape: int) -> Tensor:
    """float32 `shape`: matrices uniform with variance 1 / fan-in, norms one, biases zero.

    Integers from PCG64, scaled: torch's own generators give other bits on CPUs with other vector units.
    """
    import torch

    if len(shape) < 2 and not name.endswith("class_embedding"):
        return torch.full(shape, 0.0 if name.endswith("bias") else 1.0)
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    integers = np.random.Generator(np.random.PCG64(seed)).integers(-32768, 32768, size=shape, dtype=np.int16)
    values = integers.astype(np.float32)
    values *= np.float32(math.sqrt(3 / math.prod(shape[1:])) / 32768)
    return torch.from_numpy(values)


def fill(module: nn.Module) -> None:
    """Overwrites every parameter by what `tensor` makes of its name and shape."""
    for name, parameter in module.named_parameters():
        parameter.data.copy_(tensor(name, *parameter.shape))
