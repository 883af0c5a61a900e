"""SigLIP's vision tower: patch tokens only, the whole picture squashed to its size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from featurizers import checkpoints
from featurizers.featurizer import ModelUnavailable
from featurizers.vision import Preprocessing, VisionFeaturizer
from featurizers.vision_tower import VisionTower, siglip_tower


@dataclass(frozen=True)
class SiglipFeaturizer(VisionFeaturizer):
    """SigLIP through transformers' SiglipVisionModel."""

    kind: ClassVar[str] = "siglip"

    def vision_config(self) -> dict[str, Any]:
        config = self.config()
        if config.get("model_type") not in ("siglip", "siglip_vision_model"):
            raise ModelUnavailable(
                f"{self.model!r} is a {config.get('model_type')!r} checkpoint, not a SigLIP"
            )
        return {"image_size": 224, "patch_size": 16, **config.get("vision_config", config)}

    def preprocessing(self) -> Preprocessing:
        side = self.vision_config()["image_size"]
        half = (0.5, 0.5, 0.5)
        own = {"size": {"height": side, "width": side}, "image_mean": half, "image_std": half}
        return Preprocessing.read(own | self.config("preprocessor_config.json"), side)

    def tower(self, preprocessing: Preprocessing) -> VisionTower:
        from transformers import SiglipVisionModel

        model = checkpoints.read_model(SiglipVisionModel, self.model)
        return siglip_tower(model, preprocessing.mean, preprocessing.std, self.arithmetic)
