"""Hugging Face's vision transformers, loaded: uint8 frames to token vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import transformers
from torch import Tensor

from featurizers.errors import ModelUnavailable
from featurizers.featurizer import Arithmetic
from featurizers.running import checkpoints
from featurizers.running.transfer import upload
from featurizers.vision.preprocessing import Preprocessing


@dataclass(frozen=True)
class LibraryTower:
    """The library's own module. `registers` stand between the class token and the patches."""

    model: Any
    arithmetic: Arithmetic
    patch: int
    width: int
    class_tokens: int
    registers: int
    scale: Tensor
    shift: Tensor

    @property
    def has_class_token(self) -> bool:
        return self.class_tokens > 0

    @torch.inference_mode()
    def __call__(self, frames: Sequence[npt.NDArray[np.uint8]], size: int) -> Tensor:
        """[size, (1 +) patches, d] last hidden state of [side, side, 3] frames, 0 to 255."""
        side = frames[0].shape[0]
        pixels = upload(frames, (size, side, side, 3), self.arithmetic.device).float()
        pixels = (pixels * self.scale + self.shift).permute(0, 3, 1, 2).to(self.arithmetic.torch_dtype)
        hidden = self.model(pixel_values=pixels).last_hidden_state
        classes, patches = hidden[:, : self.class_tokens], hidden[:, self.class_tokens + self.registers :]
        return torch.cat([classes, patches], dim=1)


def load(
    checkpoint: str, name: str, class_tokens: int, preprocessing: Preprocessing, arithmetic: Arithmetic
) -> LibraryTower:
    """The tower of a checkpoint that the library's class `name` reads.

    Raises:
        ModelUnavailable: weights that cannot be read, or lack a part of the model.
    """
    try:
        model, said = getattr(transformers, name).from_pretrained(
            checkpoints.folder(checkpoint), local_files_only=True, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        detail = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelUnavailable(f"{checkpoint!r} cannot be read: {detail}") from error
    missing = sorted(key for key in said["missing_keys"] if "pool" not in key and "head" not in key)
    if missing:
        raise ModelUnavailable(f"{checkpoint!r} lacks {missing[0]}")
    config = model.config
    std = torch.tensor(preprocessing.std, dtype=torch.float32)
    return LibraryTower(
        model=model.eval().to(arithmetic.device, arithmetic.torch_dtype),
        arithmetic=arithmetic,
        patch=int(config.patch_size),
        width=int(config.hidden_size),
        class_tokens=class_tokens,
        registers=int(getattr(config, "num_register_tokens", 0)),
        scale=(1 / (255 * std)).to(arithmetic.device),
        shift=(-torch.tensor(preprocessing.mean, dtype=torch.float32) / std).to(arithmetic.device),
    )
