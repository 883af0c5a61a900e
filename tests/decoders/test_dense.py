"""Every frame of a stretch, as the ffmpeg command has them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from decoders.dense import stretch
from schemas.grid import SECOND_NS, Span
from schemas.reasons import MediaError, Reason

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.avi"])
def test_a_stretch_has_every_frame_of_it_and_its_sound(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    source = ["-f", "lavfi", "-i", "testsrc2=s=192x128:r=25", "-f", "lavfi", "-i", "sine=f=300:r=48000"]
    codecs = [
        "-c:v",
        "libx264",
        "-bf",
        "0" if name.endswith("avi") else "2",
        "-g",
        "30",
        "-pix_fmt",
        "yuv420p",
    ]
    subprocess.run([FFMPEG, "-v", "error", *source, "-t", "8", *codecs, str(path)], check=True)
    taken = stretch(str(path), Span(2 * SECOND_NS, 5 * SECOND_NS))
    chain = "trim=2:5,scale=64:64:flags=area,format=gray"
    command = [
        FFMPEG,
        "-v",
        "error",
        "-i",
        str(path),
        "-vf",
        chain,
        "-fps_mode",
        "passthrough",
        "-f",
        "rawvideo",
        "-",
    ]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    expected = np.frombuffer(raw, np.uint8).reshape(-1, 64, 64).astype(int)
    shown = taken.times_s >= 0  # the first may have appeared before the stretch
    assert abs(int(shown.sum()) - 75) <= 1
    assert len(expected) == 75
    assert np.diff(taken.times_s) == pytest.approx(0.04, abs=0.001)
    ours = taken.frames[-50:].astype(int)
    assert min(np.abs(ours - expected[-50 - skip : 75 - skip]).mean() for skip in (0, 1)) < 3
    assert taken.waveform.size == 3 * 16_000


def test_what_lacks_one_of_the_two_or_the_stretch_is_said(tmp_path: Path) -> None:
    path = tmp_path / "mute.mp4"
    subprocess.run(
        [FFMPEG, "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x64:d=2", str(path)], check=True
    )
    with pytest.raises(MediaError) as caught:
        stretch(str(path), Span(0, SECOND_NS))
    assert caught.value.reason == Reason.MISSING_MODALITY
