"""Named tensors to the parts of a transformer, on a device and in a dtype."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from featurizers.featurizer import Arithmetic
from featurizers.running.tensors import Tensors
from featurizers.running.transformer import Activation, Linear, Norm


@dataclass(frozen=True)
class Builder:
    """`width` is d; `eps` is that of every norm."""

    tensors: Tensors
    arithmetic: Arithmetic
    width: int
    eps: float

    def placed(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.arithmetic.device, self.arithmetic.torch_dtype)

    def norm(self, name: str) -> Norm:
        weight, bias = (self.tensors(f"{name}.{part}", self.width) for part in ("weight", "bias"))
        return Norm(self.placed(weight), self.placed(bias), self.eps)

    def linear(self, weight: Tensor, bias: Tensor | None, activation: Activation = "none") -> Linear:
        return Linear(weight, bias, self.arithmetic.device, self.arithmetic.torch_dtype, activation)

    def pair(self, name: str, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        """Weight [rows, columns] and bias [rows]."""
        return self.tensors(f"{name}.weight", rows, columns), self.tensors(f"{name}.bias", rows)
