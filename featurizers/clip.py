"""CLIP's vision tower on the grid's frames: token vectors of every frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from featurizers import checkpoints, untrained
from featurizers.featurizer import ModelUnavailable
from featurizers.vision import Preprocessing, VisionFeaturizer
from featurizers.vision_tower import VisionTower, clip_tower

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


@dataclass(frozen=True)
class ClipFeaturizer(VisionFeaturizer):
    """CLIP's vision transformer; `model` may also be `random:vit-b-32` or `random:vit-l-14`."""

    kind: ClassVar[str] = "clip"

    def __post_init__(self) -> None:
        super().__post_init__()
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

    def vision_config(self) -> dict[str, Any]:
        if self.untrained:
            return dict(UNTRAINED[self._size])
        config = self.config()
        if config.get("model_type") not in ("clip", "clip_vision_model"):
            raise ModelUnavailable(f"{self.model!r} is a {config.get('model_type')!r} checkpoint, not a CLIP")
        return {"image_size": 224, "patch_size": 32, **config.get("vision_config", config)}

    def weights_digest(self) -> str:
        return (
            untrained.untrained_digest(self.vision_config()) if self.untrained else super().weights_digest()
        )

    def preprocessing(self) -> Preprocessing:
        return Preprocessing.read({}, 224) if self.untrained else super().preprocessing()

    def tower(self, preprocessing: Preprocessing) -> VisionTower:
        from transformers import CLIPVisionConfig, CLIPVisionModel

        if self.untrained:
            with torch.device("meta"):
                model = CLIPVisionModel(CLIPVisionConfig(**UNTRAINED[self._size]))
            model = model.to_empty(device="cpu")
            untrained.fill(model)
        else:
            model = checkpoints.read_model(CLIPVisionModel, self.model)
        return clip_tower(model, preprocessing.mean, preprocessing.std, self.arithmetic)
