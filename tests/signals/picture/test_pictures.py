"""Pictures whose signals are known, and FFmpeg's own filters beside ours."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from signals.picture.black import SIGNAL as BLACK
from signals.picture.brightness import SIGNAL as BRIGHTNESS
from signals.picture.freeze import SIGNAL as FREEZE
from signals.picture.letterbox import SIGNAL as LETTERBOX
from signals.picture.motion import SIGNAL as MOTION
from signals.picture.sharpness import SIGNAL as SHARPNESS
from signals.picture.sharpness import laplacian
from tests.signals.conftest import H264, Make, ffmpeg, number, of, said, seen

PICTURES = Path(__file__).parents[3] / "demo" / "media" / "pictures"


def scene(source: str, seconds: float = 8) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", source, "-t", str(seconds), *H264)


@pytest.mark.parametrize("gray", [0, 40, 128, 255])
@pytest.mark.parametrize("size", ["320x240", "1280x720"])
def test_a_gray_pictures_brightness_is_known(make: Make, gray: int, size: str) -> None:
    path = make("gray.mp4", *scene(f"color=c=0x{gray:02x}{gray:02x}{gray:02x}:s={size}:r=10", 3))
    assert number(BRIGHTNESS, seen(path)) == pytest.approx(gray / 255, abs=0.01)


def test_brightness_is_what_ffmpegs_signalstats_say(make: Make) -> None:
    path = make("lively.mp4", *scene("testsrc2=s=640x360:r=4"))
    text = ffmpeg("-i", str(path), "-vf", "signalstats,metadata=print", "-f", "null", "-")
    expected = (np.mean(said(r"YAVG=([\d.]+)", text)) - 16) / 219  # of limited range
    assert number(BRIGHTNESS, seen(path)) == pytest.approx(expected, abs=0.01)


def test_motion_is_what_ffmpegs_signalstats_say(make: Make) -> None:
    path = make("pan.mp4", "-loop", "1", "-i", str(PICTURES / "coffee.jpg"),
                "-vf", "scale=960:-2,crop=480:320:x='10+t*7':y=20,fps=25", "-t", "8", *H264)  # fmt: skip
    pictures = seen(path)  # frames 6, 18, 31, … : the grid's centres
    wanted = "+".join(f"eq(n\\,{int(25 * (0.25 + 0.5 * k))})" for k in range(16))
    chain = f"select='{wanted}',scale=128:128:flags=area,signalstats,metadata=print"
    text = ffmpeg("-i", str(path), "-vf", chain, "-fps_mode", "passthrough", "-f", "null", "-")
    expected = np.array(said(r"YDIF=([\d.]+)", text))[1:] / 219
    series = of(MOTION, pictures).series
    assert series is not None
    assert len(expected) == 15
    assert math.isnan(series[0])
    assert series[1:] == pytest.approx(expected, abs=0.005)
    assert number(MOTION, pictures) == pytest.approx(expected.mean(), abs=0.005)


@pytest.mark.parametrize(("start", "end"), [(0, 0), (2, 5), (0, 8)])
def test_the_share_of_black_is_known_and_blackdetect_agrees(make: Make, start: int, end: int) -> None:
    chain = f"drawbox=c=black:t=fill:enable='between(t,{start},{end - 0.001})'" if end else "null"
    path = make("black.mp4", *scene("testsrc2=s=320x240:r=25,noise=alls=4:allf=t", 8), "-vf", chain)
    said_black = sum(
        said(
            r"black_duration:([\d.]+)", ffmpeg("-i", str(path), "-vf", "blackdetect=d=0.1", "-f", "null", "-")
        )
    )
    assert said_black == pytest.approx(end - start, abs=0.1)
    assert number(BLACK, seen(path)) == pytest.approx((end - start) / 8, abs=1 / 16)


def test_a_dark_scene_is_not_black(make: Make) -> None:
    path = make("dark.mp4", *scene("testsrc2=s=320x240:r=10,eq=brightness=-0.4", 3))
    assert number(BRIGHTNESS, seen(path)) < 0.25
    assert number(BLACK, seen(path)) == 0


@pytest.mark.parametrize(("start", "seconds"), [(3, 0), (2, 4), (0, 8)])
def test_the_share_of_frozen_picture_is_known(make: Make, start: int, seconds: int) -> None:
    picture = ("-loop", "1", "-framerate", "25", "-i", str(PICTURES / "cat.jpg"))
    moves = f"if(lt(t,{start}),t,if(lt(t,{start + seconds}),{start},t-{seconds}))*8"
    path = make(
        "freeze.mp4", *picture, "-vf", f"scale=480:-2,crop=240:160:x='5+{moves}':y=40", "-t", "8", *H264
    )
    share = max(seconds - 0.5, 0) / 7.5
    assert number(FREEZE, seen(path)) == pytest.approx(share, abs=2 / 15)
    motion = of(MOTION, seen(path)).series
    assert motion is not None
    frozen = slice(2 * start + 2, 2 * (start + seconds))
    assert not seconds or np.nanmax(motion[frozen], initial=0) < 0.001


@pytest.mark.parametrize(
    ("inner", "share"), [("640:360", 0.0), ("640:270", 0.25), ("480:360", 0.25), ("480:270", 0.4375)]
)
def test_bars_cover_a_known_share(make: Make, inner: str, share: float) -> None:
    chain = f"scale={inner},pad=640:360:(ow-iw)/2:(oh-ih)/2"
    source = "testsrc2=s=640x360:r=10,eq=brightness=0.1"
    path = make("bars.mp4", *scene(source, 4), "-vf", chain)
    assert number(LETTERBOX, seen(path)) == pytest.approx(share, abs=0.02)


def test_a_black_moment_is_no_bar_and_all_black_has_none(make: Make) -> None:
    fades = "testsrc2=s=640x360:r=10,fade=t=in:d=2,fade=t=out:st=5:d=2"
    assert number(LETTERBOX, seen(make("fade.mp4", *scene(fades, 8)))) == pytest.approx(0, abs=0.02)
    assert of(LETTERBOX, seen(make("none.mp4", *scene("color=black:s=64x64:r=5", 2)))).value is None


@pytest.mark.parametrize("size", [(96, 128), (720, 1280)])
@pytest.mark.parametrize("period", [4, 8, 16])
def test_a_gratings_sharpness_is_known(size: tuple[int, int], period: int) -> None:
    """The Laplacian of A sin(2 pi x / p) is (2 cos(2 pi / p) - 2) times it."""
    wave = 100 * np.sin(2 * np.pi * (np.arange(size[1]) + 0.5) / period)
    picture = np.broadcast_to(np.rint(128 + wave)[None, :, None], (*size, 3)).astype(np.uint8)
    expected = (100 * (2 - 2 * math.cos(2 * math.pi / period))) ** 2 / 2
    assert float(laplacian(picture)) == pytest.approx(expected, rel=0.05)


def test_blur_is_less_sharp_in_order(make: Make) -> None:
    found = []
    for sigma in (0, 1, 2, 4):
        chain = f"scale=640:-2{f',gblur=sigma={sigma}' if sigma else ''}"
        photograph = ("-loop", "1", "-i", str(PICTURES / "rocket.jpg"), "-vf", chain, "-t", "2")
        found.append(number(SHARPNESS, seen(make(f"{sigma}.mp4", *photograph, *H264))))
    assert found == sorted(found, reverse=True)
    assert found[0] > 5 * found[2]
