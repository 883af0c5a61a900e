"""SigLIP's vision tower: patch tokens only, the whole picture squashed to its size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from featurizers.errors import ModelUnavailable
from featurizers.vision.description import VisionFeaturizer
from featurizers.vision.preprocessing import Preprocessing
from featurizers.vision.shape import VisionShape

if TYPE_CHECKING:
    from featurizers.vision.tower import VisionTower

# transformers' SiglipVisionConfig
DEFAULTS: dict[str, Any] = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "image_size": 224,
    "patch_size": 16,
    "hidden_act": "gelu_pytorch_tanh",
    "layer_norm_eps": 1e-6,
}
# As SiglipModel and SiglipVisionModel of transformers 5 save it.
PREFIXES = ("vision_model.", "")


@dataclass(frozen=True)
class SiglipFeaturizer(VisionFeaturizer):
    """SigLIP, of a checkpoint that transformers' SiglipVisionModel reads."""

    kind: ClassVar[str] = "siglip"

    def vision_config(self) -> dict[str, Any]:
        config = self.config()
        if config.get("model_type") not in ("siglip", "siglip_vision_model"):
            raise ModelUnavailable(
                f"{self.model!r} is a {config.get('model_type')!r} checkpoint, not a SigLIP"
            )
        return {**DEFAULTS, **config.get("vision_config", config)}

    def preprocessing(self) -> Preprocessing:
        side = self.vision_config()["image_size"]
        half = (0.5, 0.5, 0.5)
        own = {"size": {"height": side, "width": side}, "image_mean": half, "image_std": half}
        return Preprocessing.read(own | self.config("preprocessor_config.json"), side)

    def tower(self, preprocessing: Preprocessing) -> VisionTower:
        from featurizers.running.tensors import CheckpointTensors
        from featurizers.vision.weights import siglip_tower

        tensors = CheckpointTensors(self.model, PREFIXES)
        return siglip_tower(tensors, VisionShape.read(self.vision_config()), preprocessing, self.arithmetic)
