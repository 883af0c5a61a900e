"""CLIP's vision tower on the grid's frames: token vectors of every frame."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812

from featurizers import checkpoints, untrained
from featurizers.arithmetic import Arithmetic
from featurizers.batches import FixedBatches
from featurizers.featurizer import Encoder, Features, Featurizer, ModelUnavailable
from featurizers.frames import Crop, Squash
from featurizers.vision_tower import VisionTower, clip_tower
from schemas.features import Fingerprint
from schemas.media import FrameTransform, Modality

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
FITS = ("crop", "squash")
BICUBIC = 3
BATCH_CPU, BATCH_GPU = 8, 128

# The shapes of openai/clip-vit-base-patch32 and openai/clip-vit-large-patch14.
UNTRAINED: dict[str, dict[str, int]] = {
    "vit-b-32": {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "image_size": 224,
        "patch_size": 32,
    },
    "vit-l-14": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "image_size": 224,
        "patch_size": 14,
    },
}


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

    def take(self, hidden: torch.Tensor) -> torch.Tensor:
        """[n, 1 + patches, d], class token first -> [n, tokens, d]."""
        if self.kind == "cls":
            return hidden[:, :1]
        patches = hidden[:, 1:]
        if self.grid is None:
            return patches
        n, count, width = patches.shape
        side = round(count**0.5)
        picture = patches.transpose(1, 2).reshape(n, width, side, side).float()
        return F.adaptive_avg_pool2d(picture, self.grid).flatten(2).transpose(1, 2)


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """A checkpoint's preprocessor_config.json, as far as it matters here."""

    shortest: int
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
        shortest = _side(config.get("size"), image_size)
        size = _side(config.get("crop_size"), image_size) if config.get("do_center_crop", True) else shortest
        if size != image_size:
            raise ModelUnavailable(
                f"preprocessor_config.json cuts {size} pixels, the encoder wants {image_size}"
            )
        return cls(
            shortest,
            size,
            int(config.get("resample", BICUBIC)),
            tuple(config.get("image_mean", MEAN)),
            tuple(config.get("image_std", STD)),
        )


def _side(size: Any, default: int) -> int:
    if isinstance(size, dict):
        size = size.get("shortest_edge", size.get("height", default))
    return int(size) if size else default


@dataclass(frozen=True)
class ClipFeaturizer(Featurizer):
    """uint8 [n, size, size, 3] frames (as `frame_transform` makes them) -> float16 [n, tokens, d].

    Attributes:
        model: Hugging Face id, local directory of a transformers checkpoint, or `random:vit-b-32`.
        arithmetic: resolved device and dtype.
        fit: "crop" (CLIP's own preprocessing) or "squash" (the whole picture at the encoder's size,
            as FAVOR's published code does).
    """

    model: str
    arithmetic: Arithmetic
    fit: str = "crop"
    tokens: Tokens = Tokens("patch")
    modality: ClassVar[Modality] = Modality.VIDEO

    def __post_init__(self) -> None:
        if self.fit not in FITS:
            raise ModelUnavailable(f"unknown fit {self.fit!r}: choose {' or '.join(FITS)}")
        if self.untrained and self._size not in UNTRAINED:
            raise ModelUnavailable(
                f"unknown size {self.model!r}: choose random:{', random:'.join(UNTRAINED)}"
            )

    @property
    def untrained(self) -> bool:
        return self.model.startswith("random:")

    @property
    def _size(self) -> str:
        return self.model.removeprefix("random:")

    def _config(self) -> dict[str, Any]:
        """The vision tower's configuration, as in config.json."""
        if self.untrained:
            return {"model_type": "clip_vision_model", **UNTRAINED[self._size]}
        path = checkpoints.folder(self.model) / "config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        vision = config.get("vision_config", config) if config.get("model_type") == "clip" else config
        if vision.get("model_type", "clip_vision_model") != "clip_vision_model":
            raise ModelUnavailable(f"{self.model!r} is a {config.get('model_type')!r} checkpoint, not a CLIP")
        return {"image_size": 224, "patch_size": 32, **vision}

    def _preprocessing(self) -> Preprocessing:
        config: dict[str, Any] = {}
        if not self.untrained:
            path = checkpoints.folder(self.model) / "preprocessor_config.json"
            config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return Preprocessing.read(config, self._config()["image_size"])

    def fingerprint(self) -> Fingerprint:
        if self.untrained:
            weights = untrained.untrained_digest(self._config())
        else:
            weights = checkpoints.files_digest(checkpoints.weight_files(checkpoints.folder(self.model)))
        pre = self._preprocessing()
        options: dict[str, Any] = {
            "tokens": str(self.tokens),
            "size": pre.size,
            "resample": pre.resample,
            "mean": list(pre.mean),
            "std": list(pre.std),
        }
        if self.fit == "crop":
            options["shortest"] = pre.shortest
        return Fingerprint("clip", weights, f"clip-{self.fit}-1", self.arithmetic.dtype, options)

    def frame_transform(self) -> FrameTransform:
        pre = self._preprocessing()
        if self.fit == "squash":
            return Squash(pre.size, pre.resample)
        return Crop(pre.shortest, pre.size, pre.resample)

    def rows(self, item: npt.NDArray[Any]) -> int:
        return len(item)

    @property
    def rows_per_call(self) -> int:
        return 256 if self.arithmetic.device == "cpu" else 8 * BATCH_GPU

    def load(self) -> Encoder:
        model = self._untrained_model() if self.untrained else self._trained_model()
        pre = self._preprocessing()
        tower = clip_tower(model, pre.mean, pre.std, self.arithmetic)
        side = pre.size // tower.patch
        if self.tokens.grid is not None and max(self.tokens.grid) > side:
            raise ModelUnavailable(f"{self.tokens}: {self.model!r} has only {side}x{side} patches")
        return ClipEncoder(tower, self.tokens, pre.size, model.config.hidden_size)

    def _untrained_model(self) -> Any:
        from transformers import CLIPVisionConfig, CLIPVisionModel

        with torch.device("meta"):
            model = CLIPVisionModel(CLIPVisionConfig(**UNTRAINED[self._size]))
        model = model.to_empty(device="cpu")
        untrained.fill(model)
        return model

    def _trained_model(self) -> Any:
        from safetensors import SafetensorError
        from transformers import CLIPVisionModel
        from transformers.utils import logging

        path = checkpoints.folder(self.model)
        logging.disable_progress_bar()
        before = logging.get_verbosity()
        logging.set_verbosity_error()  # the text tower's weights are left over: not news
        try:
            return CLIPVisionModel.from_pretrained(path, dtype=torch.float32, local_files_only=True)
        except (OSError, RuntimeError, ValueError, KeyError, SafetensorError) as error:
            detail = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelUnavailable(f"{self.model!r} cannot be read as a CLIP checkpoint: {detail}") from error
        finally:
            logging.set_verbosity(before)


class ClipEncoder:
    """A loaded vision tower."""

    def __init__(self, tower: VisionTower, tokens: Tokens, size: int, width: int) -> None:
        self.tower = tower
        self.tokens = tokens
        self.size = size
        self.row_shape = (tokens.count(size // tower.patch), width)
        self.batches = FixedBatches(BATCH_CPU if tower.arithmetic.device == "cpu" else BATCH_GPU)
        self._lock = threading.Lock()

    def encode(self, inputs: Sequence[npt.NDArray[Any]]) -> list[Features]:
        """uint8 [n, size, size, 3] -> float16 [n, tokens, d], each."""
        for frames in inputs:
            if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[1:] != (self.size, self.size, 3):
                wanted = f"uint8 [n, {self.size}, {self.size}, 3]"
                raise ValueError(f"frames must be {wanted}, not {frames.dtype} {list(frames.shape)}")
        with self._lock:
            arrays = self.batches.run(inputs, self.row_shape, self._forward)
        return [Features(array) for array in arrays]

    def _forward(self, frames: Sequence[npt.NDArray[Any]], size: int) -> torch.Tensor:
        return self.tokens.take(self.tower(frames, size))
