"""Pictures to an encoder's size, in the processes that decode.

Resizing is torch's on bytes, antialiased: what Pillow does, within one grey level at one pixel in a thousand,
in a fifth of the time (1080p to 224, one thread: 4 ms a frame instead of 19).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Crop:
    """uint8 [H, W, 3] -> [size, size, 3] as CLIP's own preprocessing: shortest side, then centre.

    What transformers' CLIPImageProcessor (Pillow backend) does before it normalises.

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
        picture = Image.fromarray(_resize(rgb, *resized, self.resample))
        return np.asarray(picture.crop((left, top, left + self.size, top + self.size)))


@dataclass(frozen=True, slots=True)
class Squash:
    """uint8 [H, W, 3] -> [size, size, 3]: the whole picture, its aspect not kept (SigLIP, EVA-CLIP)."""

    size: int
    resample: int = Image.Resampling.BICUBIC

    def __call__(self, rgb: Pixels) -> Pixels:
        return _resize(rgb, self.size, self.size, self.resample)


@dataclass(frozen=True, slots=True)
class Released:
    """uint8 [H, W, 3] -> float32 [size, size, 3]: the whole picture as FAVOR's released code resizes it.

    Frames of a video: torch's bicubic without antialias, neither rounded nor cut at 0 and 255. Stills:
    torchvision's Resize of a picture, which is Pillow's and antialiased.
    """

    size: int
    still: bool = False

    def __call__(self, rgb: Pixels) -> npt.NDArray[np.float32]:
        if self.still:
            picture = Image.fromarray(rgb).resize((self.size, self.size), Image.Resampling.BICUBIC)
            return np.asarray(picture, np.float32)
        import torch

        pixels = torch.from_numpy(rgb.astype(np.float32)).permute(2, 0, 1)[None]
        resized = torch.nn.functional.interpolate(
            pixels, (self.size, self.size), mode="bicubic", align_corners=False
        )
        return np.ascontiguousarray(resized[0].permute(1, 2, 0).numpy())


_TORCH_MODES = {Image.Resampling.BICUBIC: "bicubic", Image.Resampling.BILINEAR: "bilinear"}


def _resize(rgb: Pixels, width: int, height: int, resample: int) -> Pixels:
    """uint8 [H, W, 3] -> [height, width, 3]; filters that torch lacks are Pillow's."""
    mode = _TORCH_MODES.get(Image.Resampling(resample))
    if mode is None:
        return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling(resample)))
    import torch  # the decoding processes have it already; describing a featurizer needs it not

    writable = rgb if rgb.flags.writeable else rgb.copy()  # torch warns of the other kind
    pixels = torch.from_numpy(writable).permute(2, 0, 1)[None]
    resized = torch.nn.functional.interpolate(pixels, (height, width), mode=mode, antialias=True)
    return np.ascontiguousarray(resized[0].permute(1, 2, 0).numpy())
