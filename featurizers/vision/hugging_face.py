"""Hugging Face's vision transformers as they are: DINOv2, DINOv3, SigLIP 2, ViT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from featurizers.errors import ModelUnavailable
from featurizers.vision.description import VisionFeaturizer
from featurizers.vision.preprocessing import BICUBIC, Preprocessing

if TYPE_CHECKING:
    from featurizers.vision.tower import Tower

BILINEAR = 2
_IMAGENET = {"image_mean": (0.485, 0.456, 0.406), "image_std": (0.229, 0.224, 0.225)}
_HALVES = {"image_mean": (0.5, 0.5, 0.5), "image_std": (0.5, 0.5, 0.5)}
_RESIZED = {"size": {"shortest_edge": 256}, "crop_size": 224, "resample": BICUBIC}
# model_type -> the library's class, its class tokens, and the preprocessing where the checkpoint's own file
# is silent (the library's defaults).
FAMILIES: dict[str, tuple[str, int, dict[str, Any]]] = {
    "dinov2": ("Dinov2Model", 1, _IMAGENET | _RESIZED),
    "dinov2_with_registers": ("Dinov2WithRegistersModel", 1, _IMAGENET | _RESIZED),
    "dinov3_vit": ("DINOv3ViTModel", 1, _IMAGENET | {"resample": BILINEAR}),
    "siglip": ("SiglipVisionModel", 0, _HALVES),
    "siglip_vision_model": ("SiglipVisionModel", 0, _HALVES),
    "vit": ("ViTModel", 1, _HALVES | {"resample": BILINEAR}),
}


@dataclass(frozen=True)
class HuggingFaceVisionFeaturizer(VisionFeaturizer):
    """[n, size, size, 3] frames -> float16 [n, tokens, d] of the library's own model.

    Registers are in no column. SigLIP 2 is a SigLIP wherever its pictures have one size; CLIP and EVA-CLIP
    have kinds of their own, which are faster.
    """

    kind: ClassVar[str] = "vision"

    def family(self) -> str:
        """One of FAMILIES.

        Raises:
            ModelUnavailable: a family whose tokens are not known here.
        """
        config = self.config()
        found = config.get("model_type")
        if found == "siglip2":
            raise ModelUnavailable(
                f"{self.model!r} is a SigLIP 2 of NaFlex: pictures keep their shape, so their tokens have no "
                "fixed number; take one of fixed size, as google/siglip2-base-patch16-224"
            )
        if found not in FAMILIES:
            kind = (
                f"timm's {config['architecture']}" if "architecture" in config else f"a {found!r} checkpoint"
            )
            raise ModelUnavailable(
                f"{self.model!r} is {kind}: vision: knows {', '.join(FAMILIES)}; "
                "there are clip:, siglip:, eva: (EVA-CLIP ViT-g) too"
            )
        return str(found)

    def vision_config(self) -> dict[str, Any]:
        self.family()
        config = self.config()
        return {"image_size": 224, "patch_size": 16, **config.get("vision_config", config)}

    def preprocessing(self) -> Preprocessing:
        """Pictures of the size that the checkpoint cuts, which may be another than it was trained on."""
        said = FAMILIES[self.family()][2] | self.config("preprocessor_config.json")
        if "shortest_edge" not in str(said.get("size")):  # the whole picture, squashed
            side = self.vision_config()["image_size"]
            said["size"] = said.get("size") or {"height": side, "width": side}
            if not isinstance(said["size"], dict):
                said["size"] = {"height": said["size"], "width": said["size"]}
            return Preprocessing.read(said, said["size"]["height"])
        crop = said.get("crop_size", 224)
        return Preprocessing.read(said, crop["height"] if isinstance(crop, dict) else crop)

    def tower(self, preprocessing: Preprocessing) -> Tower:
        from featurizers.vision.hugging_face_tower import load

        name, class_tokens, _ = FAMILIES[self.family()]
        return load(self.model, name, class_tokens, preprocessing, self.arithmetic)
