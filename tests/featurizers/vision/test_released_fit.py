"""`--fit favor` against the released arithmetic: torch's own resize of floats, torchvision's of pictures."""

import numpy as np
import pytest
import torch
from PIL import Image

from featurizers.errors import ModelUnavailable
from featurizers.registry import load, resolve
from featurizers.vision.clip import ClipFeaturizer
from featurizers.vision.frames import Released, Squash

CPU = resolve("x", "clip:random:vit-b-32", device="cpu", dtype="float32").arithmetic


def test_frames_are_resized_without_antialias_and_not_rounded(pictures):
    floats = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 255
    truth = torch.nn.functional.interpolate(floats, size=(224, 224), mode="bicubic", align_corners=False)
    made = np.stack([Released(224)(picture) for picture in pictures])
    assert made.dtype == np.float32
    np.testing.assert_allclose(made / 255, truth.permute(0, 2, 3, 1).numpy(), atol=1e-5)
    antialiased = np.stack([Squash(224)(picture) for picture in pictures]).astype(np.float32)
    assert np.abs(made - antialiased).max() > 20  # grey levels


def test_stills_are_antialiased(pictures):
    featurizer = ClipFeaturizer("random:vit-b-32", CPU, "favor")
    transform = featurizer.still_transform()
    assert transform == Released(224, still=True)
    truth = np.asarray(Image.fromarray(pictures[0]).resize((224, 224), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(transform(pictures[0]), truth.astype(np.float32))


def test_it_is_in_the_fingerprint():
    prints = {fit: ClipFeaturizer("random:vit-b-32", CPU, fit).fingerprint() for fit in ("squash", "favor")}
    assert prints["favor"].preprocessing == "clip-favor-1"
    assert prints["favor"].digest != prints["squash"].digest
    with pytest.raises(ModelUnavailable, match="crop, squash, favor"):
        ClipFeaturizer("random:vit-b-32", CPU, "stretch")


def test_an_encoder_takes_both_kinds_of_numbers_at_once(small_clip, pictures):
    encoder = load(resolve("x", f"clip:{small_clip}", device="cpu", dtype="float32", fit="favor"))
    floats = np.stack([Released(48)(picture) for picture in pictures])
    bytes_ = np.stack([Squash(48)(picture) for picture in pictures])
    alone = [encoder.encode([frames])[0].array for frames in (floats, bytes_)]
    together = encoder.encode([floats, bytes_])
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other.array)
