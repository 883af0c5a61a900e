"""A loaded vision tower: frames in, the tokens that are kept out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812

from featurizers.errors import ModelUnavailable
from featurizers.featurizer import Arithmetic, Features
from featurizers.running.batches import FixedBatches
from featurizers.vision.description import BATCH_CPU, BATCH_GPU, VisionFeaturizer
from featurizers.vision.tokens import Tokens

_NUMBERS = (np.uint8, np.float32)


def load(featurizer: VisionFeaturizer) -> VisionEncoder:
    """The encoder that a featurizer describes.

    Raises:
        ModelUnavailable: weights that cannot be read, or tokens that this tower does not have.
    """
    model, tokens = featurizer.model, featurizer.tokens
    pre = featurizer.preprocessing()
    tower = featurizer.tower(pre)
    side = pre.size // tower.patch
    tokens.check(model, side)
    classes = tower.has_class_token
    if tokens.kind == "cls" and not classes:
        raise ModelUnavailable(f"cls: {model!r} has no class token; choose patch, all or pool:NxN")

    def forward(frames: Sequence[npt.NDArray[Any]], size: int) -> torch.Tensor:
        return take(tokens, tower(frames, size), classes)

    return VisionEncoder(forward, pre.size, (tokens.count(side, classes), tower.width), featurizer.arithmetic)


def take(tokens: Tokens, hidden: torch.Tensor, class_token: bool) -> torch.Tensor:
    """[n, patches, d], after a class token if there is one -> [n, tokens, d]."""
    if tokens.kind == "cls":
        return hidden[:, :1]
    if tokens.kind == "all":
        return hidden
    patches = hidden[:, int(class_token) :]
    if tokens.grid is None:
        return patches
    n, count, width = patches.shape
    side = round(count**0.5)
    picture = patches.transpose(1, 2).reshape(n, width, side, side).float()
    return F.adaptive_avg_pool2d(picture, tokens.grid).flatten(2).transpose(1, 2)


class VisionEncoder:
    """A loaded vision tower and what comes after it."""

    def __init__(
        self,
        forward: Callable[[Sequence[npt.NDArray[Any]], int], torch.Tensor],
        size: int,
        row_shape: tuple[int, int],
        arithmetic: Arithmetic,
    ) -> None:
        self.size = size
        self.row_shape = row_shape
        self.batches = FixedBatches(BATCH_CPU if arithmetic.device == "cpu" else BATCH_GPU)
        self._forward = forward
        self._lock = threading.Lock()

    def encode(self, inputs: Sequence[npt.NDArray[Any]]) -> list[Features]:
        """uint8, or float32 of the same scale, [n, size, size, 3] -> float16 [n, tokens, d], each."""
        for frames in inputs:
            if (
                frames.dtype not in _NUMBERS
                or frames.ndim != 4
                or frames.shape[1:] != (self.size, self.size, 3)
            ):
                wanted = f"uint8 or float32 [n, {self.size}, {self.size}, 3]"
                raise ValueError(f"frames must be {wanted}, not {frames.dtype} {list(frames.shape)}")
        if len({frames.dtype for frames in inputs}) > 1:
            inputs = [frames.astype(np.float32) for frames in inputs]
        with self._lock:
            return [Features(array) for array in self.batches.run(inputs, self.row_shape, self._forward)]
