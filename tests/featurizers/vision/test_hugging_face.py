"""`vision:`: DINOv2, DINOv3 and SigLIP against the bare library, on small checkpoints that it saved."""

import json

import numpy as np
import pytest
import torch
import transformers
from transformers import BitImageProcessorPil, SiglipImageProcessorPil

from featurizers.errors import ModelUnavailable
from featurizers.registry import load, resolve

WIDTH = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 2}
VISION = {**WIDTH, "image_size": 56, "patch_size": 8}
FLOOR = {"float32": 0.9999, "bfloat16": 0.995}


def cosines(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.mean((a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))))


def dinov2(path):
    config = transformers.Dinov2WithRegistersConfig(**VISION, num_register_tokens=4)
    processor = BitImageProcessorPil(
        size={"shortest_edge": 52},
        crop_size=48,
        image_mean=[0.4, 0.5, 0.6],
        image_std=[0.2, 0.25, 0.3],
        resample=3,
    )
    return transformers.Dinov2WithRegistersModel(config), processor, 5


def dinov3(path):
    model = transformers.DINOv3ViTModel(transformers.DINOv3ViTConfig(**VISION, num_register_tokens=2))
    processor = SiglipImageProcessorPil(
        size={"height": 48, "width": 48},
        resample=2,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.2, 0.2, 0.2],
    )
    return model, processor, 3


def siglip(path):
    model = transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**{**VISION, "image_size": 48}))
    return model, SiglipImageProcessorPil(size={"height": 48, "width": 48}), 0


@pytest.mark.parametrize("dtype", FLOOR)
@pytest.mark.parametrize("make", [dinov2, dinov3, siglip])
@torch.inference_mode()
def test_same_as_the_bare_model(make, dtype, pictures, tmp_path):
    torch.manual_seed(3)
    model, processor, extra = make(tmp_path)
    for parameter in model.parameters():
        if parameter.ndim >= 2:
            parameter.normal_(std=1 / parameter.shape[-1] ** 0.5)
    model.eval().save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    hidden = model(processor(list(pictures), return_tensors="pt")["pixel_values"]).last_hidden_state.numpy()
    classes = hidden[:, : min(extra, 1)]
    patches = hidden[:, extra:]
    for tokens, truth in (("patch", patches), ("all", np.concatenate([classes, patches], axis=1))):
        featurizer = resolve("x", f"vision:{tmp_path}", device="cpu", dtype=dtype, clip_tokens=tokens)
        transform = featurizer.frame_transform()
        frames = np.stack([transform(picture) for picture in pictures])
        features = load(featurizer).encode([frames])[0].array
        assert features.shape == truth.shape == (4, 36 + (tokens == "all" and extra > 0), 64)
        assert cosines(features, truth) >= FLOOR[dtype]
        assert cosines(features[1:], truth[:-1]) < FLOOR[dtype] - 0.002  # a shift of one step is seen


@pytest.mark.parametrize(
    ("config", "kind", "message"),
    [
        ({"model_type": "siglip2"}, "vision", "NaFlex.* take one of fixed size, as google/siglip2-base"),
        (
            {"architecture": "eva02_base_patch14_224"},
            "vision",
            "is timm's eva02_base_patch14_224: vision: knows",
        ),
        ({"model_type": "clip", "auto_map": {"AutoModel": "m.EvaCLIP"}}, "clip", "brings code of its own"),
    ],
)
def test_naflex_and_eva_02_are_refused_in_one_line(config, kind, message, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(ModelUnavailable, match=message) as refused:
        resolve("x", f"{kind}:{tmp_path}", device="cpu").prepare()
    assert "\n" not in str(refused.value)


def test_other_families_are_refused_in_one_line(small_clip, tmp_path):
    with pytest.raises(ModelUnavailable, match=r"'clip' checkpoint: vision: knows dinov2.*there are clip:"):
        resolve("x", f"vision:{small_clip}", device="cpu").fingerprint()
    model, processor, _ = siglip(tmp_path)
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "dinov2"}))
    with pytest.raises(ModelUnavailable, match="lacks"):
        load(resolve("x", f"vision:{tmp_path}", device="cpu"))
