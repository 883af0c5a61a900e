"""A vision transformer's forward pass: uint8 frames to token vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from featurizers.featurizer import Arithmetic
from featurizers.running.transfer import upload
from featurizers.running.transformer import Block, Linear, Norm, through


class Tower(Protocol):
    """What an encoder needs to know of one. `width` is d, `patch` pixels."""

    @property
    def patch(self) -> int: ...

    @property
    def width(self) -> int: ...

    @property
    def has_class_token(self) -> bool: ...

    def __call__(self, frames: Sequence[npt.NDArray[np.uint8]], size: int) -> Tensor:
        """[size, (1 +) patches, d] last hidden state of [side, side, 3] frames, 0 to 255."""
        ...


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
    def has_class_token(self) -> bool:
        return self.class_token is not None

    @property
    def width(self) -> int:
        """d: values a token."""
        return self.positions.shape[-1]

    def __call__(self, frames: Sequence[npt.NDArray[np.uint8]], size: int) -> Tensor:
        """[size, (1 +) patches, d] last hidden state of [side, side, 3] frames, 0 to 255; black fills up."""
        side = frames[0].shape[0]
        return self.tokens(upload(frames, (size, side, side, 3), self.arithmetic.device))

    @torch.inference_mode()
    def tokens(self, pixels: Tensor) -> Tensor:
        """The same of [size, side, side, 3] on the device."""
        size, grid = len(pixels), pixels.shape[1] // self.patch
        x = pixels[:, : grid * self.patch, : grid * self.patch].float() * self.scale + self.shift
        x = x.to(self.arithmetic.torch_dtype).reshape(size, grid, self.patch, grid, self.patch, 3)
        patches = x.permute(0, 1, 3, 5, 2, 4).reshape(size, grid * grid, 3 * self.patch * self.patch)
        x = self.embed(patches)
        if self.class_token is not None:
            x = torch.cat([self.class_token.expand(size, 1, -1), x], dim=1)
        x = x + self.positions
        if self.first_norm is not None:
            x = self.first_norm(x)
        return through(self.blocks, x, self.last_norm)
