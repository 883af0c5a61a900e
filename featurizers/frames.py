"""Pictures to an encoder's size. numpy and Pillow only: this runs in decoding processes without torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Crop:
    """uint8 [H, W, 3] -> [size, size, 3] as CLIP's own preprocessing: shortest side, then centre.

    Bit for bit what transformers' CLIPImageProcessor (Pillow backend) does before it normalises.

    Attributes:
        shortest: pixels of the shortest side after resizing.
        size: side of the square cut from the centre; what lies outside the picture is black.
        resample: a Pillow filter (3 is bicubic).
    """

    shortest: int
    size: int
    resample: int = Image.Resampling.BICUBIC

    def __call__(self, rgb: Pixels) -> Pixels:
        height, width = rgb.shape[:2]
        if width <= height:
            resized = (self.shortest, int(self.shortest * height / width))
        else:
            resized = (int(self.shortest * width / height), self.shortest)
        left, top = (resized[0] - self.size) // 2, (resized[1] - self.size) // 2
        picture = Image.fromarray(rgb).resize(resized, Image.Resampling(self.resample))
        return np.asarray(picture.crop((left, top, left + self.size, top + self.size)))


@dataclass(frozen=True, slots=True)
class Squash:
    """uint8 [H, W, 3] -> [size, size, 3]: the whole picture, its aspect not kept (FAVOR, SigLIP)."""

    size: int
    resample: int = Image.Resampling.BICUBIC

    def __call__(self, rgb: Pixels) -> Pixels:
        return np.asarray(
            Image.fromarray(rgb).resize((self.size, self.size), Image.Resampling(self.resample))
        )
