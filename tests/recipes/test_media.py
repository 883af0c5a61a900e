"""Files are found under the names that people give them."""

from pathlib import Path

import pytest

from recipes import names
from recipes.errors import RecipeError
from recipes.media import MediaFolder


def folder_with(root: Path, *paths: str) -> MediaFolder:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return MediaFolder([root])


@pytest.mark.parametrize(
    ("there", "modality", "asked"),
    [
        ("a/b/-x_1.y.MP4", "video", "-x_1.y"),
        ("x.webm", "video", "x.mp4"),
        ("train2014/COCO_train2014_000000000009.jpg", "image", names.coco(9, "train2014")[0]),
        ("000000000009.png", "image", "000000000009.jpg"),
        ("film.mkv", "audio", "film.wav"),
        ("a b, c.v. d.wav", "audio", "a b, c.v. d"),
        ("o'b\"c%_.flac", "audio", "o'b\"c%_"),
        ("\u0142\u00f3d\u017a.ogg", "audio", "\u0142\u00f3d\u017a"),
        ("loop.gif", "video", "loop"),
    ],
)
def test_an_id_is_found(tmp_path: Path, there: str, modality: str, asked: str) -> None:
    assert folder_with(tmp_path, there).find(modality, [asked]) == str(tmp_path / there)


@pytest.mark.parametrize(
    ("there", "modality", "asked"),
    [("x.mp4", "image", "x"), ("x.jpg", "video", "x"), ("x.jpg", "audio", "x"),
     ("xy.mp4", "video", "x"), ("X.mp4", "video", "x"),
     (".x.mp4", "video", ".x"), ("x.mp4.part", "video", "x"), (".cache/x.mp4", "video", "x")],
)  # fmt: skip
def test_what_is_something_else_is_not_taken(tmp_path: Path, there: str, modality: str, asked: str) -> None:
    assert folder_with(tmp_path, there).find(modality, [asked]) is None


def test_of_several_the_best_kind_then_the_folder_that_agrees(tmp_path: Path) -> None:
    media = folder_with(tmp_path, "a/x.mp4", "b/x.wav", "c/train/x.wav", "c/val/x.wav")
    assert media.find("audio", ["val/x.wav"]) == str(tmp_path / "c/val/x.wav")
    assert media.find("audio", ["x"]) == str(tmp_path / "b/x.wav")
    assert media.find("audio", ["gone", "x"]) == str(tmp_path / "b/x.wav")


def test_every_usual_name_of_a_clip() -> None:
    found = names.clip("-a_b", "30", "40")
    for usual in (
        "-a_b_000030",
        "-a_b_30_40",
        "-a_b_30000_40000",
        "-a_b_30",
        "Y-a_b_30_40",
        "-a_b_30.0_40.0",
    ):
        assert usual in found
    assert "x_8.59_16.84" in names.clip("x", "8.59", "16.84")
    assert "x_8.5_16" in names.clip("x", "8.50", "16.0")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no such folder"):
        MediaFolder([tmp_path / "gone"])
