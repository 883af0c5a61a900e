"""What a medium may cost is bounded by its bytes."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from decoders.clips import decode_clips
from decoders.limits import DEFAULT
from decoders.probe import probe
from schemas.grid import SECOND_NS, Grid, Span
from schemas.media import ClipRequest
from schemas.reasons import MediaError, Reason

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def gif(frames: int, hundredths: int) -> bytes:
    """One pixel a frame."""
    header = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff"
    frame = b"!\xf9\4\4" + hundredths.to_bytes(2, "little") + b"\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0"
    return header + frames * frame + b";"


@pytest.mark.parametrize("frames", [2, 50])
def test_a_few_bytes_that_say_they_last_for_hours_are_too_large(frames: int, tmp_path: Path) -> None:
    path = tmp_path / "long.gif"
    path.write_bytes(gif(frames, 65535))
    with pytest.raises(
        MediaError, match=r"s in \d+ bytes: under 8 bytes a second \(--least-rate\)"
    ) as caught:
        probe(str(path))
    assert caught.value.reason == Reason.TOO_LARGE
    allowed = probe(str(path), replace(DEFAULT, least_rate=0.0))
    assert allowed.duration_ns > 655 * SECOND_NS


def test_a_minute_is_free(tmp_path: Path) -> None:
    path = tmp_path / "slides.gif"
    path.write_bytes(gif(2, 2900))
    assert probe(str(path)).duration_ns == 58 * SECOND_NS


def test_honest_media_of_the_lowest_rates_are_let_in(tmp_path: Path) -> None:
    """Ten minutes: digital silence, and one picture that never changes."""
    for name, arguments in {
        "silence.flac": ["-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", "-c:a", "flac"],
        "silence.opus": ["-f", "lavfi", "-i", "anullsrc=r=48000:cl=mono", "-c:a", "libopus", "-b:a", "6k"],
        "slide.mp4": ["-f", "lavfi", "-i", "color=size=64x64:rate=1", "-c:v", "libx264"],
    }.items():
        path = tmp_path / name
        subprocess.run([FFMPEG, "-v", "error", *arguments, "-t", "600", str(path)], check=True)
        assert probe(str(path)).duration_ns > 590 * SECOND_NS


def test_decord_is_refused_what_it_might_hold_in_memory_at_once(tmp_path: Path) -> None:
    """It took 3.8 GB of a film of which nobody took a frame for 12 s, and lost spans."""
    pytest.importorskip("decord")
    path = tmp_path / "film.mp4"
    source = "color=size=1920x1080:rate=10"
    encoder = ["-c:v", "libx264", "-preset", "ultrafast", "-t", "30"]
    subprocess.run([FFMPEG, "-v", "error", "-f", "lavfi", "-i", source, *encoder, str(path)], check=True)
    request = ClipRequest(Grid(Span(0, SECOND_NS)), True, False)
    with pytest.raises(MediaError, match=r"300 frames at once, 1.7 GiB: use --decoder pyav") as caught:
        list(decode_clips(str(path), [request], {"rgb": np.copy}, "decord"))
    assert caught.value.reason == Reason.TOO_LARGE
    [clip] = decode_clips(str(path), [request], {"rgb": np.copy}, "pyav")
    assert clip.frames is not None
