"""Checkpoints as they lie about: prefixes, file formats, halves, and what is wrong with them."""

import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from featurizers.errors import ModelUnavailable
from featurizers.registry import load, resolve
from featurizers.vision import clip, qformer, siglip

WIDTH = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}


def encode(spec):
    frames = np.random.default_rng(1).integers(0, 256, (2, 48, 48, 3), np.uint8)
    return load(resolve("x", spec, device="cpu", dtype="float32")).encode([frames])[0].array


@pytest.fixture
def tower(small_clip, tmp_path):
    """The small CLIP's folder without weights, and the tensors of its vision tower by their bare names."""
    for name in ("config.json", "preprocessor_config.json"):
        shutil.copy(small_clip / name, tmp_path)
    tensors = load_file(small_clip / "model.safetensors")
    vision = {n.removeprefix("vision_model."): t for n, t in tensors.items() if n.startswith("vision_model.")}
    return tmp_path, vision


def save(folder, tensors):
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("family", "featurizer"),
    [("CLIP", clip), ("Siglip", siglip), ("Blip2", qformer), ("InstructBlip", qformer)],
)
def test_what_a_config_leaves_out_is_what_transformers_takes(family, featurizer):
    config = getattr(transformers, f"{family}VisionConfig")()
    assert {name: getattr(config, name) for name in featurizer.DEFAULTS} == featurizer.DEFAULTS


def test_a_config_that_says_little(tmp_path):
    """Activation and epsilon are the family's."""
    torch.manual_seed(2)
    config = transformers.CLIPVisionConfig(**WIDTH, image_size=48, patch_size=8, initializer_factor=4.0)
    model = transformers.CLIPVisionModel(config).eval()
    model.save_pretrained(tmp_path)
    little = {"model_type": "clip_vision_model", **WIDTH, "image_size": 48, "patch_size": 8}
    (tmp_path / "config.json").write_text(json.dumps(little))
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps({"size": 48, "crop_size": 48, "image_mean": [0, 0, 0], "image_std": [1, 1, 1]})
    )
    frames = np.random.default_rng(1).integers(0, 256, (2, 48, 48, 3), np.uint8)
    with torch.inference_mode():
        pixels = torch.from_numpy(frames).permute(0, 3, 1, 2) / 255
        truth = model(pixels).last_hidden_state[:, 1:].numpy()
    np.testing.assert_allclose(encode(f"clip:{tmp_path}"), truth, rtol=1e-3, atol=5e-3)


@pytest.mark.parametrize("prefix", ["", "vision_model.", "clip.", "other."])
def test_prefixes_are_those_that_transformers_knows(small_clip, tower, prefix):
    folder, vision = tower
    save(folder, {prefix + name: tensor for name, tensor in vision.items()})
    _, info = transformers.CLIPVisionModel.from_pretrained(folder, output_loading_info=True)
    if info["missing_keys"]:
        with pytest.raises(ModelUnavailable, match=r"lacks embeddings\."):
            encode(f"clip:{folder}")
    else:
        np.testing.assert_array_equal(encode(f"clip:{folder}"), encode(f"clip:{small_clip}"))


@pytest.mark.parametrize("zipped", [True, False])
def test_pytorch_model_bin(small_clip, tower, zipped):
    folder, vision = tower
    torch.save(vision, folder / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    np.testing.assert_array_equal(encode(f"clip:{folder}"), encode(f"clip:{small_clip}"))


def test_shards(small_clip, tmp_path):
    transformers.CLIPModel.from_pretrained(small_clip).save_pretrained(tmp_path, max_shard_size="200KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    shutil.copy(small_clip / "preprocessor_config.json", tmp_path)
    np.testing.assert_array_equal(encode(f"clip:{tmp_path}"), encode(f"clip:{small_clip}"))


def test_half_precision(tower, tmp_path):
    folder, vision = tower
    save(folder, {name: tensor.half().float() for name, tensor in vision.items()})
    truth = encode(f"clip:{folder}")
    save(folder, {name: tensor.half() for name, tensor in vision.items()})
    np.testing.assert_array_equal(encode(f"clip:{folder}"), truth)


def test_a_tensor_that_is_missing_is_named(tower):
    folder, vision = tower
    del vision["encoder.layers.1.mlp.fc1.bias"]
    save(folder, {f"vision_model.{name}": tensor for name, tensor in vision.items()})
    with pytest.raises(ModelUnavailable, match=r"lacks vision_model\.encoder\.layers\.1\.mlp\.fc1\.bias$"):
        encode(f"clip:{folder}")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda t: t[:-1].contiguous(), r"float32 \[36, 64\]"),
        (lambda t: t.to(torch.int8), r"int8 \[37, 64\]"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(tower, change, found):
    folder, vision = tower
    name = "embeddings.position_embedding.weight"
    save(folder, vision | {name: change(vision[name])})
    with pytest.raises(ModelUnavailable, match=rf": {name} is {found}, the configuration wants \[37, 64\]$"):
        encode(f"clip:{folder}")


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04"])
def test_no_checkpoint_at_all(tower, content):
    folder, _ = tower
    (folder / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(ModelUnavailable, match="is not a PyTorch checkpoint") as caught:
        encode(f"clip:{folder}")
    assert "\n" not in str(caught.value)


def test_a_pickled_object_is_not_run(tower):
    class Trap:
        def __reduce__(self):
            return (open, (str(folder / "ran"), "w"))

    folder, vision = tower
    torch.save(vision | {"trap": Trap()}, folder / "pytorch_model.bin")
    with pytest.raises(ModelUnavailable, match=r"plain tensors$"):
        encode(f"clip:{folder}")
    assert not (folder / "ran").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"patch_size": 0}, "patch_size is 0"),
        ({"num_hidden_layers": "3"}, "num_hidden_layers is '3'"),
        ({"num_attention_heads": 3}, "no multiple of 3 heads"),
        ({"hidden_act": "relu6"}, "activation 'relu6'"),
    ],
)
def test_a_config_that_cannot_be(tower, values, message):
    folder, vision = tower
    save(folder, vision)
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"] |= values
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelUnavailable, match=message):
        encode(f"clip:{folder}")


def test_pixels_beyond_the_last_whole_patch_are_left_out(tmp_path, pictures):
    """As siglip-so400m-patch14-384 has them: 27 patches of 14 are 378 pixels."""
    torch.manual_seed(2)
    config = transformers.SiglipVisionConfig(**WIDTH, image_size=50, patch_size=8)
    model = transformers.SiglipVisionModel(config).eval()
    model.save_pretrained(tmp_path)
    featurizer = resolve("x", f"siglip:{tmp_path}", device="cpu", dtype="float32")
    frames = np.stack([featurizer.frame_transform()(picture) for picture in pictures])
    features = load(featurizer).encode([frames])[0].array
    with torch.inference_mode():
        pixels = torch.from_numpy(frames).permute(0, 3, 1, 2) / 127.5 - 1
        truth = model(pixels).last_hidden_state.numpy()
    assert features.shape == (4, 36, 64)
    np.testing.assert_allclose(features, truth, rtol=1e-3, atol=5e-3)
