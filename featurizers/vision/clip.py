"""CLIP's vision tower on the grid's frames: token vectors of every frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from featurizers.errors import ModelUnavailable
from featurizers.running.untrained import MayBeUntrained, tensor, untrained_digest
from featurizers.vision.description import VisionFeaturizer
from featurizers.vision.preprocessing import Preprocessing
from featurizers.vision.shape import VisionShape

if TYPE_CHECKING:
    from featurizers.vision.tower import VisionTower

# transformers' CLIPVisionConfig
DEFAULTS: dict[str, Any] = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "image_size": 224,
    "patch_size": 32,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}
# As CLIPModel, CLIPVisionModel of transformers 5 and a tower inside another model save it.
PREFIXES = ("vision_model.", "clip.", "")
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
class ClipFeaturizer(MayBeUntrained, VisionFeaturizer):
    """CLIP's vision transformer; `model` may also be `random:vit-b-32` or `random:vit-l-14`."""

    kind: ClassVar[str] = "clip"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.untrained and self.size not in UNTRAINED:
            raise ModelUnavailable(
                f"unknown size {self.model!r}: choose random:{', random:'.join(UNTRAINED)}"
            )

    def vision_config(self) -> dict[str, Any]:
        if self.size is not None:
            return DEFAULTS | UNTRAINED[self.size]
        config = self.config()
        if config.get("model_type") not in ("clip", "clip_vision_model"):
            raise ModelUnavailable(f"{self.model!r} is a {config.get('model_type')!r} checkpoint, not a CLIP")
        if "auto_map" in config:  # BAAI's EVA-CLIP calls itself a "clip" and is built otherwise
            raise ModelUnavailable(f"{self.model!r} is no plain CLIP: it brings code of its own (auto_map)")
        return {**DEFAULTS, **config.get("vision_config", config)}

    def weights_digest(self) -> str:
        if self.size is not None:
            return untrained_digest(UNTRAINED[self.size])
        return super().weights_digest()

    def preprocessing(self) -> Preprocessing:
        return Preprocessing.read({}, 224) if self.untrained else super().preprocessing()

    def tower(self, preprocessing: Preprocessing) -> VisionTower:
        from featurizers.running.tensors import CheckpointTensors
        from featurizers.vision.weights import clip_tower

        tensors = tensor if self.untrained else CheckpointTensors(self.model, PREFIXES)
        return clip_tower(tensors, VisionShape.read(self.vision_config()), preprocessing, self.arithmetic)
