"""Still pictures: upright, RGB, one step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from decoders.probe import probe
from decoders.streams.still import decode_image
from schemas.reasons import MediaError, Reason

PICTURE = np.zeros((40, 60, 3), np.uint8)
PICTURE[:20, :30] = (255, 0, 0)
PICTURE[:20, 30:] = (0, 255, 0)
PICTURE[20:, :30] = (0, 0, 255)


def decoded(path: Path) -> np.ndarray:
    frames = decode_image(str(path), {"rgb": np.copy})
    assert frames.frame_of_step.tolist() == [0]
    assert frames.pts_ns.tolist() == [0]
    assert frames.mask.tolist() == [1]
    (picture,) = frames.prepared["rgb"]
    return np.asarray(picture)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "gif", "ppm", "webp", "jpg", "avif"])
def test_every_format(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"picture.{suffix}"
    Image.fromarray(PICTURE).save(path, **({"lossless": True} if suffix == "webp" else {"quality": 95}))
    info = probe(str(path))
    assert (info.container, info.image_size, info.duration_ns) == ("image", (60, 40), 0)
    difference = np.abs(decoded(path).astype(int) - PICTURE)
    assert np.median(difference) <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = {
        1: PICTURE, 2: PICTURE[:, ::-1], 3: PICTURE[::-1, ::-1], 4: PICTURE[::-1],
        5: PICTURE.transpose(1, 0, 2), 6: np.rot90(PICTURE), 7: np.rot90(PICTURE[:, ::-1], -1),
        8: np.rot90(PICTURE, -1),
    }[orientation]  # fmt: skip
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
    assert probe(str(path)).image_size == (60, 40)
    np.testing.assert_array_equal(decoded(path), PICTURE)


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "I;16", "F"])
def test_other_modes_become_rgb(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.tiff"
    if mode in ("I;16", "F"):
        grey = np.linspace(0, 65535 if mode == "I;16" else 1, 2400).reshape(40, 60)
        Image.fromarray(grey.astype(np.uint16 if mode == "I;16" else np.float32)).save(path)
    else:
        Image.fromarray(PICTURE).convert(mode).save(path)
    picture = decoded(path)
    assert picture.shape == (40, 60, 3)
    assert picture.max() >= 150
    assert picture.min() <= 1


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(path)
    assert (decoded(path) == 255).all()


def test_a_cut_picture_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(MediaError) as caught:
        decode_image(str(path), {"rgb": np.copy})
    assert caught.value.reason == Reason.CORRUPT
