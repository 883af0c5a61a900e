"""A vision transformer's dimensions, as config.json has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from featurizers.errors import ModelUnavailable

_SIZES = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "image_size",
    "patch_size",
)


@dataclass(frozen=True, slots=True)
class VisionShape:
    """`width` is d, `mlp` the width between, `side` and `patch` are pixels."""

    width: int
    mlp: int
    layers: int
    heads: int
    side: int
    patch: int
    activation: str
    eps: float
    qkv_bias: bool

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> VisionShape:
        """Of a vision config in which nothing is left out.

        Raises:
            ModelUnavailable: a value that cannot be; it is named.
        """
        for name in _SIZES:
            if type(config[name]) is not int or config[name] < 1:
                raise ModelUnavailable(f"config.json: {name} is {config[name]!r}, not a whole number")
        width, mlp, layers, heads, side, patch = (config[name] for name in _SIZES)
        if width % heads:
            raise ModelUnavailable(f"config.json: hidden_size {width} is no multiple of {heads} heads")
        return cls(
            width,
            mlp,
            layers,
            heads,
            side,
            patch,
            str(config["hidden_act"]),
            float(config["layer_norm_eps"]),
            bool(config.get("qkv_bias", True)),
        )

    @property
    def patches(self) -> int:
        """Patches a frame; pixels beyond the last whole patch are left out."""
        return (self.side // self.patch) ** 2
