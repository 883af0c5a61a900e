"""What CLIP, SigLIP and EVA-CLIP have in common: frames prepared, encoded in batches, tokens chosen."""

from __future__ import annotations

import abc
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy.typing as npt

from featurizers.errors import ModelUnavailable
from featurizers.featurizer import Arithmetic, Featurizer, Fetch
from featurizers.running import checkpoints
from featurizers.vision.frames import Crop, Released, Squash
from featurizers.vision.preprocessing import Preprocessing
from featurizers.vision.shape import VisionShape
from featurizers.vision.tokens import PATCH, Tokens
from schemas.features import Fingerprint
from schemas.media import FrameTransform, Modality

if TYPE_CHECKING:
    from featurizers.vision.tower import Tower

FITS = ("crop", "squash", "favor")
BATCH_CPU, BATCH_GPU = 8, 256


@dataclass(frozen=True)
class VisionFeaturizer(Featurizer):
    """[n, size, size, 3] frames (as `frame_transform` makes them) -> float16 [n, tokens, d].

    Attributes:
        model: Hugging Face id, or local directory of a transformers checkpoint.
        arithmetic: resolved device and dtype.
        fit: "crop" (the model's own preprocessing), "squash" (the whole picture at the encoder's size), or
            "favor": that, as FAVOR's released code resizes (featurizers/vision/frames.py, Released).
        tokens: which of the last hidden state's are kept.
    """

    model: str
    arithmetic: Arithmetic
    fit: str = "crop"
    tokens: Tokens = PATCH
    modality: ClassVar[Modality] = Modality.VIDEO

    def __post_init__(self) -> None:
        if self.fit not in FITS:
            raise ModelUnavailable(f"unknown fit {self.fit!r}: choose {', '.join(FITS)}")

    @property
    def untrained(self) -> bool:
        return False

    @abc.abstractmethod
    def vision_config(self) -> dict[str, Any]:
        """The vision tower's part of config.json, the family's defaults filled in."""

    @abc.abstractmethod
    def tower(self, preprocessing: Preprocessing) -> Tower:
        """The loaded tower."""

    def weights_digest(self) -> str:
        """SHA-256 of the weights' files."""
        return checkpoints.files_digest(checkpoints.weight_files(checkpoints.folder(self.model)))

    def to_fetch(self) -> Fetch | None:
        return None if self.untrained else checkpoints.to_fetch(self.model)

    def config(self, name: str = "config.json") -> dict[str, Any]:
        """One of the checkpoint's JSON files; empty if there is none."""
        path = checkpoints.folder(self.model) / name
        return checkpoints.read_json(path) if path.is_file() else {}

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
        fit = "squash" if self.fit == "crop" and pre.shortest is None else self.fit
        if fit == "crop":
            options["shortest"] = pre.shortest
        return Fingerprint(self.kind, self.weights_digest(), f"clip-{fit}-1", self.arithmetic.dtype, options)

    def frame_transform(self) -> FrameTransform:
        pre = self.preprocessing()
        if self.fit == "favor":
            return Released(pre.size)
        if self.fit == "squash" or pre.shortest is None:
            return Squash(pre.size, pre.resample)
        return Crop(pre.shortest, pre.size, pre.resample)

    def still_transform(self) -> FrameTransform:
        made = self.frame_transform()
        return replace(made, still=True) if isinstance(made, Released) else made

    def prepare(self) -> None:
        """Raises:
        ModelUnavailable: also where its files cannot be opened, or it has no such tokens.
        """
        self.fingerprint()
        shape = VisionShape.read(self.vision_config())
        self.tokens.check(self.model, shape.side // shape.patch)
        if not self.untrained:
            from featurizers.running.tensors import check_readable

            check_readable(self.model)

    def rows(self, item: npt.NDArray[Any]) -> int:
        return len(item)

    @property
    def rows_per_call(self) -> int:
        return 256 if self.arithmetic.device == "cpu" else 4 * BATCH_GPU
