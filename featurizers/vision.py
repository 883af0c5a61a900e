"""What CLIP, SigLIP and EVA-CLIP have in common: frames prepared, encoded in batches, tokens chosen."""

from __future__ import annotations

import abc
import json
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812

from featurizers import checkpoints
from featurizers.arithmetic import Arithmetic
from featurizers.batches import FixedBatches
from featurizers.featurizer import Encoder, Features, Featurizer, ModelUnavailable
from featurizers.frames import Crop, Squash
from featurizers.vision_tower import VisionTower
from schemas.features import Fingerprint
from schemas.media import FrameTransform, Modality

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
FITS = ("crop", "squash")
BICUBIC = 3
BATCH_CPU, BATCH_GPU = 8, 128


@dataclass(frozen=True, slots=True)
class Tokens:
    """Which of the last hidden state's tokens are kept.

    "patch": every patch token, row by row (the class token left out); "cls": the class token;
    "pool:NxM": the patch grid averaged to N rows of M.
    """

    kind: str
    grid: tuple[int, int] | None = None

    @classmethod
    def parse(cls, text: str) -> Tokens:
        """Raises ModelUnavailable for anything but patch, cls, pool:NxM."""
        if text in ("patch", "cls"):
            return cls(text)
        match = re.fullmatch(r"pool:([1-9]\d{0,2})x([1-9]\d{0,2})", text)
        if match is None:
            raise ModelUnavailable(f"unknown tokens {text!r}: choose patch, cls or pool:NxN (pool:4x4)")
        return cls("pool", (int(match[1]), int(match[2])))

    def __str__(self) -> str:
        return self.kind if self.grid is None else f"pool:{self.grid[0]}x{self.grid[1]}"

    def count(self, patches_a_side: int) -> int:
        """Tokens a frame."""
        if self.grid is not None:
            return self.grid[0] * self.grid[1]
        return 1 if self.kind == "cls" else patches_a_side**2

    def take(self, hidden: torch.Tensor, class_token: bool) -> torch.Tensor:
        """[n, patches, d], after a class token if there is one -> [n, tokens, d]."""
        if self.kind == "cls":
            return hidden[:, :1]
        patches = hidden[:, int(class_token) :]
        if self.grid is None:
            return patches
        n, count, width = patches.shape
        side = round(count**0.5)
        picture = patches.transpose(1, 2).reshape(n, width, side, side).float()
        return F.adaptive_avg_pool2d(picture, self.grid).flatten(2).transpose(1, 2)


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """A checkpoint's preprocessor_config.json, as far as it matters here.

    `shortest` is the shortest side before the centre is cut out; None: the whole picture is squashed.
    """

    shortest: int | None
    size: int
    resample: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def read(cls, config: dict[str, Any], image_size: int) -> Preprocessing:
        """What the file says; CLIP's values where it is silent or there is none.

        Raises:
            ModelUnavailable: a picture size that is not the encoder's.
        """
        resize = config.get("size") or image_size
        squash = isinstance(resize, dict) and "height" in resize
        shortest = None if squash else _side(resize)
        size = _side(
            resize
            if squash or not config.get("do_center_crop", True)
            else config.get("crop_size", image_size)
        )
        if size != image_size:
            raise ModelUnavailable(
                f"preprocessor_config.json cuts {size} pixels, the encoder wants {image_size}"
            )
        return cls(
            shortest,
            size,
            int(config.get("resample", BICUBIC)),
            tuple(config.get("image_mean", CLIP_MEAN)),
            tuple(config.get("image_std", CLIP_STD)),
        )


def _side(size: Any) -> int:
    if isinstance(size, dict):
        size = size.get("shortest_edge", size.get("height"))
    return int(size)


@dataclass(frozen=True)
class VisionFeaturizer(Featurizer):
    """uint8 [n, size, size, 3] frames (as `frame_transform` makes them) -> float16 [n, tokens, d].

    Attributes:
        model: Hugging Face id, or local directory of a transformers checkpoint.
        arithmetic: resolved device and dtype.
        fit: "crop" (the model's own preprocessing) or "squash" (the whole picture at the encoder's
            size, as FAVOR's published code does).
        tokens: which of the last hidden state's are kept.
    """

    model: str
    arithmetic: Arithmetic
    fit: str = "crop"
    tokens: Tokens = Tokens("patch")
    modality: ClassVar[Modality] = Modality.VIDEO
    kind: ClassVar[str]

    def __post_init__(self) -> None:
        if self.fit not in FITS:
            raise ModelUnavailable(f"unknown fit {self.fit!r}: choose {' or '.join(FITS)}")

    @property
    def untrained(self) -> bool:
        return False

    @abc.abstractmethod
    def vision_config(self) -> dict[str, Any]:
        """The vision tower's part of config.json, `image_size` and `patch_size` filled in."""

    @abc.abstractmethod
    def tower(self, preprocessing: Preprocessing) -> VisionTower:
        """The loaded tower."""

    def weights_digest(self) -> str:
        """SHA-256 of the weights' files."""
        return checkpoints.files_digest(checkpoints.weight_files(checkpoints.folder(self.model)))

    def config(self, name: str = "config.json") -> dict[str, Any]:
        """One of the checkpoint's JSON files; empty if there is none."""
        path = checkpoints.folder(self.model) / name
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}

    def preprocessing(self) -> Preprocessing:
        """What happens to a frame before the encoder."""
        return Preprocessing.read(self.config("preprocessor_config.json"), self.vision_config()["image_size"])

    def fingerprint(self) -> Fingerprint:
        pre = self.preprocessing()
        options: dict[str, Any] = {
            "tokens": str(self.tokens),
            "size": pre.size,
            "resample": pre.resample,
            "mean": list(pre.mean),
            "std": list(pre.std),
        }
        fit = self.fit if pre.shortest is not None else "squash"
        if fit == "crop":
            options["shortest"] = pre.shortest
        return Fingerprint(self.kind, self.weights_digest(), f"clip-{fit}-1", self.arithmetic.dtype, options)

    def frame_transform(self) -> FrameTransform:
        pre = self.preprocessing()
        if self.fit == "squash" or pre.shortest is None:
            return Squash(pre.size, pre.resample)
        return Crop(pre.shortest, pre.size, pre.resample)

    def rows(self, item: npt.NDArray[Any]) -> int:
        return len(item)

    @property
    def rows_per_call(self) -> int:
        return 256 if self.arithmetic.device == "cpu" else 8 * BATCH_GPU

    def load(self) -> Encoder:
        pre = self.preprocessing()
        tower = self.tower(pre)
        side = pre.size // tower.patch
        if self.tokens.grid is not None and max(self.tokens.grid) > side:
            raise ModelUnavailable(f"{self.tokens}: {self.model!r} has only {side}x{side} patches")
        classes = tower.class_token is not None
        if self.tokens.kind == "cls" and not classes:
            raise ModelUnavailable(f"cls: {self.model!r} has no class token; choose patch or pool:NxN")

        def forward(frames: Sequence[npt.NDArray[Any]], size: int) -> torch.Tensor:
            return self.tokens.take(tower(frames, size), classes)

        return VisionEncoder(forward, pre.size, (self.tokens.count(side), tower.width), self.arithmetic)


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
        """uint8 [n, size, size, 3] -> float16 [n, tokens, d], each."""
        for frames in inputs:
            if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[1:] != (self.size, self.size, 3):
                wanted = f"uint8 [n, {self.size}, {self.size}, 3]"
                raise ValueError(f"frames must be {wanted}, not {frames.dtype} {list(frames.shape)}")
        with self._lock:
            return [Features(array) for array in self.batches.run(inputs, self.row_shape, self._forward)]
