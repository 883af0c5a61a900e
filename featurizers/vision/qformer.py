"""FAVOR's own visual encoder: EVA-CLIP, and the Q-Former of BLIP-2 or InstructBLIP on top of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from featurizers.errors import ModelUnavailable
from featurizers.running import checkpoints
from featurizers.vision.description import VisionFeaturizer
from featurizers.vision.preprocessing import Preprocessing
from featurizers.vision.shape import VisionShape
from schemas.features import Fingerprint

if TYPE_CHECKING:
    from featurizers.vision.tower import VisionTower

FAMILIES = ("blip-2", "instructblip")
TOKENIZER = "qformer_tokenizer"  # folder, beside InstructBLIP's weights
# transformers' Blip2VisionConfig and InstructBlipVisionConfig
DEFAULTS: dict[str, Any] = {
    "hidden_size": 1408,
    "intermediate_size": 6144,
    "num_hidden_layers": 39,
    "num_attention_heads": 16,
    "image_size": 224,
    "patch_size": 14,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-6,
    "qkv_bias": True,
}


@dataclass(frozen=True)
class EvaFeaturizer(VisionFeaturizer):
    """The vision tower of a BLIP-2 or InstructBLIP checkpoint (EVA-CLIP ViT-g, 1408 wide) and its last norm.

    With `tokens` all (257 of a picture of 224 pixels) it is what a Q-Former reads, prompted later as often as
    there are questions.
    """

    kind: ClassVar[str] = "eva"

    def family(self) -> str:
        """One of FAMILIES.

        Raises:
            ModelUnavailable: the checkpoint is another model's.
        """
        found = self.config().get("model_type")
        if found not in FAMILIES:
            raise ModelUnavailable(
                f"{self.model!r} is a {found!r} checkpoint, neither {' nor '.join(FAMILIES)}"
            )
        return str(found)

    def vision_config(self) -> dict[str, Any]:
        self.family()
        return {**DEFAULTS, **self.config().get("vision_config", {})}

    def preprocessing(self) -> Preprocessing:
        side = self.vision_config()["image_size"]
        own = {"size": {"height": side, "width": side}}
        return Preprocessing.read(own | self.config("preprocessor_config.json"), side)

    def tower(self, preprocessing: Preprocessing) -> VisionTower:
        from featurizers.running.tensors import CheckpointTensors, part
        from featurizers.vision.weights import eva_tower

        tensors = CheckpointTensors(self.model, part("vision_model."))
        return eva_tower(tensors, VisionShape.read(self.vision_config()), preprocessing, self.arithmetic)


@dataclass(frozen=True)
class QFormerFeaturizer(EvaFeaturizer):
    """uint8 [n, size, size, 3] frames -> float16 [n, queries, d]; 32 x 768 in the published checkpoints.

    Attributes:
        prompt: what InstructBLIP's Q-Former reads beside the picture; empty: nothing. FAVOR gives it the
            question, so its features hold for that question only.
    """

    kind: ClassVar[str] = "qformer"
    prompt: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tokens.kind != "patch":
            raise ModelUnavailable(
                f"{self.tokens}: a Q-Former's output are its queries; leave the tokens out"
            )

    def fingerprint(self) -> Fingerprint:
        eva = super().fingerprint()
        options = {**eva.options, "tokens": "queries", "prompt": self.prompt}
        return Fingerprint(self.kind, eva.weights, eva.preprocessing, eva.dtype, options)


@dataclass(frozen=True)
class PromptedFeaturizer(QFormerFeaturizer):
    """Asked -> float16 [questions, n, queries, d]: InstructBLIP's Q-Former, prompted by each question.

    The vision tower sees a frame once, however many questions there are.

    Attributes:
        prompt: read where nobody asks anything; empty: the pictures alone.
    """

    kind: ClassVar[str] = "prompted"
    asks: ClassVar[bool] = True

    def prepare(self) -> None:
        """Raises:
        ModelUnavailable: as ever; or its tokenizer is missing.
        """
        super().prepare()
        if not (checkpoints.folder(self.model) / TOKENIZER).is_dir():
            raise ModelUnavailable(
                f"{self.model!r} has no {TOKENIZER}: questions need the Q-Former's tokenizer there"
            )

    def family(self) -> str:
        if super().family() != "instructblip":
            raise ModelUnavailable(
                f"{self.model!r}: BLIP-2's Q-Former reads no question; take InstructBLIP's"
            )
        return "instructblip"

    def fingerprint(self) -> Fingerprint:
        made = super().fingerprint()
        options = {**made.options, "asks": True}
        return Fingerprint(self.kind, made.weights, made.preprocessing, made.dtype, options)
