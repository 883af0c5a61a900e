"""FAVOR's own visual encoder: EVA-CLIP, and the Q-Former of BLIP-2 or InstructBLIP on top of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy.typing as npt
import torch

from featurizers import checkpoints
from featurizers.featurizer import Encoder, ModelUnavailable
from featurizers.vision import Preprocessing, VisionEncoder, VisionFeaturizer
from featurizers.vision_tower import VisionTower, eva_tower
from schemas.features import Fingerprint

FAMILIES = ("blip-2", "instructblip")


@dataclass(frozen=True)
class EvaFeaturizer(VisionFeaturizer):
    """The vision tower of a BLIP-2 or InstructBLIP checkpoint (EVA-CLIP ViT-g: 1408 wide).

    What a prompted Q-Former can be run on later, as often as there are questions.
    """

    kind: ClassVar[str] = "eva"

    def vision_config(self) -> dict[str, Any]:
        config = self.config()
        if config.get("model_type") not in FAMILIES:
            found = config.get("model_type")
            raise ModelUnavailable(
                f"{self.model!r} is a {found!r} checkpoint, neither {' nor '.join(FAMILIES)}"
            )
        return {"image_size": 224, "patch_size": 14, **config.get("vision_config", {})}

    def preprocessing(self) -> Preprocessing:
        side = self.vision_config()["image_size"]
        own = {"size": {"height": side, "width": side}}
        return Preprocessing.read(own | self.config("preprocessor_config.json"), side)

    def tower(self, preprocessing: Preprocessing) -> VisionTower:
        import transformers

        name = "Blip2Vision" if self.config()["model_type"] == "blip-2" else "InstructBlipVision"
        config = getattr(transformers, f"{name}Config")(**self.vision_config())
        with torch.device("meta"):
            model = getattr(transformers, f"{name}Model")(config)
        _take(model, self.model, "vision_model")
        return eva_tower(model, preprocessing.mean, preprocessing.std, self.arithmetic)


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

    def load(self) -> Encoder:
        import transformers

        pre = self.preprocessing()
        tower = self.tower(pre)
        config = self.config()
        instructed = config["model_type"] == "instructblip"
        name = "InstructBlipQFormer" if instructed else "Blip2QFormer"
        qformer_config = getattr(transformers, f"{name}Config")(**config.get("qformer_config", {}))
        qformer = getattr(transformers, f"{name}Model")(qformer_config)
        _take(qformer, self.model, "qformer")
        device, dtype = self.arithmetic.device, self.arithmetic.torch_dtype
        qformer = qformer.eval().to(device, dtype)
        queries = checkpoints.read_part(self.model, "query_tokens")[""].to(device, dtype)
        prompt = self._prompt_ids(instructed)

        @torch.inference_mode()
        def forward(frames: Sequence[npt.NDArray[Any]], size: int) -> torch.Tensor:
            given: dict[str, Any] = {"query_embeds": queries.expand(size, -1, -1)}
            if instructed:
                given["input_ids"] = None if prompt is None else prompt.to(device).expand(size, -1)
            hidden: torch.Tensor = qformer(
                encoder_hidden_states=tower(frames, size), **given
            ).last_hidden_state
            return hidden[:, : queries.shape[1]]

        return VisionEncoder(forward, pre.size, (queries.shape[1], queries.shape[2]), self.arithmetic)

    def _prompt_ids(self, instructed: bool) -> torch.Tensor | None:
        """int64 [1, length], as InstructBLIP's processor makes them."""
        if not self.prompt:
            return None
        if not instructed:
            raise ModelUnavailable(f"{self.model!r}: BLIP-2's Q-Former reads no prompt; leave it out")
        from transformers import AutoTokenizer

        path = checkpoints.folder(self.model) / "qformer_tokenizer"
        if not path.is_dir():
            raise ModelUnavailable(f"{path} is missing: a prompt needs the Q-Former's tokenizer there")
        return torch.tensor(
            [AutoTokenizer.from_pretrained(path, local_files_only=True)(self.prompt)["input_ids"]]
        )


def _take(module: torch.nn.Module, model: str, part: str) -> None:
    """Fills a module with its part of the checkpoint; names that older versions saved as well are ignored."""
    missing = module.load_state_dict(
        checkpoints.read_part(model, part), strict=False, assign=True
    ).missing_keys
    if missing:
        raise ModelUnavailable(f"{model!r} lacks {part}.{missing[0]}")
