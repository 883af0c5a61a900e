"""decord gives the same frames at the same times, or says that it cannot."""

from __future__ import annotations

import pytest

from benchmarks.alignment import decode_whole, wrong_steps
from schemas.reasons import MediaError, Reason
from tests.decoders.conftest import Matrix

RIGHT = [
    "x264_aac.mp4", "x265_aac.mp4", "mpeg4_mp3lame.mp4", "mjpeg_aac.mp4", "x264_pcm_s16le.mov",
    "mpeg2video_ac3.mkv", "vpx-vp9_opus.webm", "x264_mp3lame.avi", "mpeg4_mp3lame.avi", "x264_aac.flv",
    "late_audio.mp4", "late_video.mkv", "variable_rate.mp4", "rotate_90.mp4", "wide_pixels.mp4",
    "open_gop_hevc.mkv", "10bit_hevc.mkv", "no_b_frames.mp4",
]  # fmt: skip
REFUSED = ["x264_aac.ts", "edit_list.mp4", "svtav1_opus.mp4", "theora_vorbis.ogv", "mirrored.mp4"]


@pytest.mark.parametrize("name", RIGHT)
def test_frames_are_those_of_ffmpeg(name: str, matrix: Matrix) -> None:
    clip = decode_whole(matrix.path(name), "decord")
    assert wrong_steps(clip, matrix.shown(name)) == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_decord_gets_wrong_is_refused(name: str, matrix: Matrix) -> None:
    with pytest.raises(MediaError, match="use --decoder pyav") as caught:
        decode_whole(matrix.path(name), "decord")
    assert caught.value.reason == Reason.REFUSED_FORMAT
