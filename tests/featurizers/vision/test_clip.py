"""CLIP features against the bare transformers model on frames that the ffmpeg command extracted."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModel

from featurizers.errors import ModelUnavailable
from featurizers.registry import load, resolve
from featurizers.running import untrained
from featurizers.vision.clip import UNTRAINED
from featurizers.vision.frames import Crop, Squash

FLOOR = {"float32": 0.999, "bfloat16": 0.998}


def cosines(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.mean((a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))))


def bare(model, processor, pictures, **options):
    pixels = processor(list(pictures), return_tensors="pt", **options)["pixel_values"]
    with torch.inference_mode():
        return model(pixels).last_hidden_state.numpy()


def encode(featurizer, pictures):
    transform = featurizer.frame_transform()
    frames = np.stack([transform(picture) for picture in pictures])
    return load(featurizer).encode([frames])[0].array


@pytest.fixture(scope="module")
def bare_vit_b_32(pictures):
    model = CLIPVisionModel(CLIPVisionConfig(**UNTRAINED["vit-b-32"])).eval()
    untrained.fill(model)
    return bare(model, CLIPImageProcessorPil(), pictures)


@pytest.mark.parametrize("dtype", FLOOR)
def test_same_as_bare_transformers_at_true_size(pictures, bare_vit_b_32, dtype):
    features = encode(resolve("clip", "clip:random:vit-b-32", device="cpu", dtype=dtype), pictures)
    assert features.dtype == np.float16
    assert features.shape == (4, 49, 768)
    truth = bare_vit_b_32[:, 1:]
    assert cosines(features, truth) >= FLOOR[dtype]
    assert cosines(features[1:], truth[:-1]) < FLOOR[dtype]  # a shift of one step is seen


@pytest.mark.parametrize("dtype", FLOOR)
def test_same_as_bare_transformers_on_a_saved_checkpoint(pictures, small_clip, dtype):
    model = CLIPVisionModel.from_pretrained(small_clip).eval()
    truth = bare(model, CLIPImageProcessorPil.from_pretrained(small_clip), pictures)
    features = encode(resolve("clip", f"clip:{small_clip}", device="cpu", dtype=dtype), pictures)
    assert features.shape == (4, 36, 64)
    assert cosines(features, truth[:, 1:]) >= FLOOR[dtype]
    assert cosines(features[1:], truth[:-1, 1:]) < FLOOR[dtype]


def test_squash_shows_the_whole_picture(pictures, small_clip):
    model = CLIPVisionModel.from_pretrained(small_clip).eval()
    processor = CLIPImageProcessorPil.from_pretrained(small_clip)
    whole = {"size": {"height": 48, "width": 48}, "do_center_crop": False}
    truth = bare(model, processor, pictures, **whole)
    featurizer = resolve("clip", f"clip:{small_clip}", device="cpu", dtype="float32", fit="squash")
    assert cosines(encode(featurizer, pictures), truth[:, 1:]) >= 0.999


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ("patch", lambda hidden: hidden[:, 1:]),
        ("cls", lambda hidden: hidden[:, :1]),
        ("pool:1x1", lambda hidden: hidden[:, 1:].mean(1, keepdims=True)),
        (
            "pool:3x2",
            lambda hidden: hidden[:, 1:].reshape(-1, 3, 2, 2, 3, 64).mean((2, 4)).reshape(-1, 6, 64),
        ),
    ],
)
def test_tokens(pictures, small_clip, tokens, expected):
    model = CLIPVisionModel.from_pretrained(small_clip).eval()
    truth = expected(bare(model, CLIPImageProcessorPil.from_pretrained(small_clip), pictures))
    featurizer = resolve("clip", f"clip:{small_clip}", device="cpu", dtype="float32", clip_tokens=tokens)
    features = encode(featurizer, pictures)
    assert features.shape == truth.shape
    assert cosines(features, truth) >= FLOOR["float32"]


def test_more_pooled_tokens_than_patches_is_the_users_mistake(small_clip):
    with pytest.raises(ModelUnavailable, match="only 6x6 patches"):
        load(resolve("clip", f"clip:{small_clip}", device="cpu", clip_tokens="pool:7x7"))


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(8, 64), st.integers(8, 64))
def test_crop_is_the_image_processors_but_for_rounding(height, width, shortest, size):
    picture = np.random.default_rng(height * 999 + width).integers(0, 256, (height, width, 3), np.uint8)
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": shortest}, crop_size=size, do_rescale=False, do_normalize=False
    )
    expected = np.moveaxis(processor(picture, input_data_format="channels_last")["pixel_values"][0], 0, -1)
    difference = np.abs(Crop(shortest, size)(picture).astype(int) - expected.astype(int))
    assert difference.shape == (size, size, 3)
    assert (
        difference.max() <= 2
    )  # noise, the hardest: both round twice; on a film one pixel in a thousand differs by 1


def test_squash_takes_every_column():
    picture = np.zeros((10, 100, 3), np.uint8)
    picture[:, :5] = 255
    assert Squash(20)(picture)[:, 0].min() > 200
    assert Crop(20, 20)(picture).max() == 0


def test_nothing_to_encode(small_clip):
    encoder = load(resolve("clip", f"clip:{small_clip}", device="cpu", dtype="float32"))
    (features,) = encoder.encode([np.empty((0, 48, 48, 3), np.uint8)])
    assert features.array.shape == (0, 36, 64)


def test_fingerprint_tells_apart_what_changes_the_features(small_clip, tmp_path):
    def digest(spec=f"clip:{small_clip}", **options):
        return resolve("clip", spec, device="cpu", **{"dtype": "float32", **options}).fingerprint().digest

    moved = tmp_path / "moved"
    moved.mkdir()
    for file in small_clip.iterdir():
        (moved / file.name).write_bytes(file.read_bytes())
    assert digest(f"clip:{moved}") == digest()  # the same weights elsewhere
    weights = moved / "model.safetensors"
    edited = bytearray(weights.read_bytes())
    edited[-1] ^= 1
    weights.write_bytes(edited)
    others = [
        digest(f"clip:{moved}"),
        digest(dtype="bfloat16"),
        digest(fit="squash"),
        digest(clip_tokens="cls"),
        digest(clip_tokens="pool:2x2"),
        digest("clip:random:vit-b-32"),
        digest("clip:random:vit-l-14"),
    ]
    assert len({digest(), *others}) == 1 + len(others)
