"""What a probe says."""

from __future__ import annotations

import numpy as np
import pytest

from decoders.clips import decode_clips
from decoders.probe import probe
from schemas.grid import SECOND_NS, Grid, Span
from schemas.media import ClipRequest
from tests.decoders.conftest import Matrix


def test_streams_and_their_times(matrix: Matrix) -> None:
    info = probe(str(matrix.path("late_audio.mp4")))
    assert info.container.startswith("mov")
    assert info.duration_ns == 5 * SECOND_NS
    assert info.image_size is None
    assert info.video is not None
    assert (info.video.codec, info.video.width, info.video.height) == ("h264", 160, 120)
    assert (info.video.start_ns, info.video.end_ns, info.video.frames) == (0, 5 * SECOND_NS, 125)
    assert info.audio is not None
    assert (info.audio.codec, info.audio.sample_rate, info.audio.channels) == ("aac", 48_000, 1)
    priming = 1024 * SECOND_NS // 48_000  # an AAC encoder's, here presented
    assert abs(info.audio.start_ns - 720_000_000) <= priming + 1
    assert info.audio.end_ns == 5 * SECOND_NS


@pytest.mark.parametrize(
    "name", ["rotate_90.mp4", "rotate_180.mp4", "wide_pixels.mp4", "cut.mkv", "interlaced_h264.mp4"]
)
def test_the_size_is_that_of_the_decoded_pictures(name: str, matrix: Matrix) -> None:
    path = str(matrix.path(name))
    info = probe(path)
    assert info.video is not None
    assert (info.video.width, info.video.height) == matrix.case(name).size
    (clip,) = decode_clips(path, [ClipRequest(Grid(Span(0, SECOND_NS)), True, False)], {"rgb": np.copy})
    assert clip.frames is not None
    assert np.asarray(clip.frames.prepared["rgb"]).shape[1:] == (info.video.height, info.video.width, 3)


def test_a_header_that_lies_about_the_duration_is_not_believed(matrix: Matrix) -> None:
    """The file is cut in half; its header still promises five seconds."""
    whole = matrix.path("vpx_vorbis.webm")
    path = whole.with_name("half.webm")
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert SECOND_NS < probe(str(path)).duration_ns < 4 * SECOND_NS
