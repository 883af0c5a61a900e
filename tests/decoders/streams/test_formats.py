"""Pictures as phones and browsers write them: still, in motion, one after another; others are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from benchmarks.changes.judge import drawn_number
from benchmarks.changes.source import picture
from benchmarks.flashes import ffmpeg
from decoders.clips import decode_clips
from decoders.limits import Limits
from decoders.probe import probe
from decoders.streams.still import decode_image
from schemas.grid import Grid, Span
from schemas.media import ClipRequest
from schemas.reasons import MediaError, Reason

MILLISECONDS = [200, 300, 500, 1000]  # how long each frame of an animation is shown


def numbers(path: Path) -> list[int | None]:
    info = probe(str(path))
    request = ClipRequest(Grid(Span(0, info.duration_ns)), True, False)
    (clip,) = decode_clips(str(path), [request], {"number": drawn_number})
    assert clip.frames is not None
    drawn = np.asarray(clip.frames.prepared["number"])
    return [int(drawn[row][0]) if row >= 0 else None for row in clip.frames.frame_of_step]


def drawn() -> list[Image.Image]:
    return [Image.fromarray(picture(number, 160, 120)) for number in (3, 90, 517, 1000)]


@pytest.mark.parametrize("suffix", ["webp", "png", "gif"])
def test_what_moves_is_a_video_and_named_as_an_image_its_first_frame(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"moving.{suffix}"
    first, *rest = drawn()
    first.save(path, save_all=True, append_images=rest, duration=MILLISECONDS, loop=0)
    info = probe(str(path))
    assert info.video is not None
    assert (info.duration_ns, info.video.frames) == (2_000_000_000, 4)
    assert info.image_size == (info.video.width, info.video.height) == (160, 120)
    assert numbers(path) == [90, 517, 1000, 1000]  # 0.25, 0.75, 1.25, 1.75 s
    still = decode_image(str(path), {"number": drawn_number})
    assert np.asarray(still.prepared["number"])[0][0] == 3


def test_an_avif_in_motion(tmp_path: Path) -> None:
    path, raw = tmp_path / "moving.avif", b"".join(np.asarray(shown).tobytes() for shown in drawn())
    ffmpeg("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "160x120", "-framerate", 2, "-i", "-",
           "-c:v", "libaom-av1", "-cpu-used", 8, "-crf", 20, path, stdin=raw)  # fmt: skip
    info = probe(str(path))
    assert info.video is not None
    assert info.video.frames == 4
    assert numbers(path) == [3, 90, 517, 1000]


def test_a_heic_is_turned_by_its_container_and_not_by_its_exif(tmp_path: Path) -> None:
    """ISO/IEC 23008-12, 6.5.10: readers that turned it by both would turn a phone's photo twice."""
    pillow_heif.register_heif_opener()
    path = tmp_path / "photo.heic"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture(5, 320, 240)).save(path, exif=exif, quality=90)
    info = probe(str(path))
    assert (info.container, info.image_size) == ("image", (320, 240))
    frames = decode_image(str(path), {"rgb": np.copy})
    shown = np.asarray(frames.prepared["rgb"])[0]
    assert np.median(np.abs(shown.astype(int) - picture(5, 320, 240))) < 5


def test_a_jpeg_xl_is_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "picture.jxl"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x48:d=0.04", "-frames:v", 1, "-c:v", "libjxl", path)
    assert probe(str(path)).image_size == (64, 48)


def jpegs(*sizes: tuple[int, int], tmp_path: Path) -> bytes:
    content = b""
    for number, size in enumerate(sizes):
        Image.fromarray(picture(number, *size)).save(tmp_path / "one.jpg")
        content += (tmp_path / "one.jpg").read_bytes()
    return content


def test_jpegs_one_after_another_are_a_video_but_a_photo_with_a_smaller_one_behind_it_is_not(
    tmp_path: Path,
) -> None:
    stream, photo = tmp_path / "camera.mjpeg", tmp_path / "gain_map.jpg"
    stream.write_bytes(jpegs(*[(160, 120)] * 50, tmp_path=tmp_path))
    photo.write_bytes(jpegs((160, 120), (40, 30), tmp_path=tmp_path))
    assert numbers(stream) == [6, 18, 31, 43]
    assert probe(str(photo)).container == "image"
    assert probe(str(stream)).image_size == (160, 120)


def test_frames_with_exif_are_read(tmp_path: Path) -> None:
    """PyAV 18 has no name for that kind of side data; a rotation beside it must still be found."""
    exif = Image.Exif()
    exif[0x0112] = 6
    stream, path = tmp_path / "camera.mjpeg", tmp_path / "timelapse.mov"
    content = b""
    for number in range(25):
        Image.fromarray(picture(number, 160, 120)).save(tmp_path / "one.jpg", exif=exif)
        content += (tmp_path / "one.jpg").read_bytes()
    stream.write_bytes(content)
    ffmpeg("-f", "mjpeg", "-i", stream, "-c", "copy", path)
    info = probe(str(path))
    assert info.video is not None
    assert (info.video.width, info.video.height) == (120, 160)
    (clip,) = decode_clips(
        str(path), [ClipRequest(Grid(Span(0, info.duration_ns)), True, False)], {"p": upright}
    )
    assert clip.frames is not None
    assert np.asarray(clip.frames.prepared["p"])[:, 0].tolist() == [6, 18]


def upright(shown: np.ndarray) -> np.ndarray:
    return drawn_number(np.rot90(shown))


@pytest.mark.parametrize(
    ("head", "name"),
    [(b"8BPS\0\1", "Photoshop"), (b"\0\0\0\x18ftypcrx ", "raw"), (b"v/1\x01\2\0", "OpenEXR")],
)
def test_what_is_not_read_is_refused_by_its_name(head: bytes, name: str, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(head + bytes(100))
    with pytest.raises(MediaError, match=name) as caught:
        probe(str(path))
    assert caught.value.reason == Reason.REFUSED_FORMAT


def test_a_dng_is_refused_for_pillow_would_give_its_thumbnail(tmp_path: Path) -> None:
    path = tmp_path / "raw.dng"
    Image.new("RGB", (16, 16)).save(path, "TIFF", tiffinfo={50706: b"\1\4\0\0"})
    with pytest.raises(MediaError, match="DNG"):
        probe(str(path))


@pytest.mark.parametrize(("size", "pixels"), [((300, 1), 10**6), ((40, 30), 1000)])
def test_a_picture_beyond_its_limits_is_too_large(size: tuple[int, int], pixels: int, tmp_path: Path) -> None:
    Image.new("RGB", size).save(tmp_path / "picture.png")
    with pytest.raises(MediaError) as caught:
        probe(str(tmp_path / "picture.png"), Limits(still_pixels=pixels))
    assert caught.value.reason == Reason.TOO_LARGE
