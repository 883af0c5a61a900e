"""Every file of the matrix against the truth and against the ffmpeg command's full decode."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from benchmarks.alignment import picture_shifts, wrong_steps
from benchmarks.flashes import lag_seconds
from benchmarks.matrix import CASES, Case
from decoders.clips import decode_clips
from decoders.limits import DEFAULT
from decoders.timeline.selective import plan
from decoders.timeline.timeline import read_timeline
from schemas.grid import SECOND_NS, STEP_NS, Grid, Span
from schemas.media import ClipRequest, DecodedClip, DecodedFrames
from tests.decoders.conftest import Matrix

every_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
every_video = pytest.mark.parametrize(
    "case", [case for case in CASES if case.video], ids=[case.name for case in CASES if case.video]
)


@every_case
def test_the_matrix(case: Case, matrix: Matrix) -> None:
    clip = matrix.clip(case.name)
    shift = 0.0
    if case.video:
        shifts = picture_shifts(case, clip)
        shift = float(np.median(shifts))
        # A timestamp may be rounded to a tick; a frame is never another's.
        assert np.abs(shifts - shift).max() < 0.0015, "frames do not follow their own clock"
        assert wrong_steps(clip, matrix.shown(case.name)) == []
    if case.audio:
        assert clip.audio is not None
        lag = lag_seconds(clip.audio.waveform, case.seed) - shift
        assert abs(lag) * 1000 <= case.tolerance_ms
        check_sound_mask(case, clip, shift)


def check_sound_mask(case: Case, clip: DecodedClip, shift: float) -> None:
    assert clip.audio is not None
    if case.remux is not None:
        return
    start, end = case.late_audio + shift, case.audio_seconds + shift
    slack = 0.13  # priming and padding: two frames of a codec, and mkv's clusters
    for step, sounding in enumerate(clip.audio.mask):
        opens, closes = step * 0.5, step * 0.5 + 0.5
        if opens >= start and closes <= end:
            assert sounding, f"step {step} should sound"
        elif closes <= start - slack or opens >= end + slack:
            assert not sounding, f"step {step} should not sound"


@every_video
def test_selective_decoding_gives_what_a_full_decode_gives(case: Case, matrix: Matrix) -> None:
    path = matrix.path(case.name)
    end = matrix.clip(case.name).grid.span.end_ns
    sparse = [ClipRequest(Grid(Span(end * 6 // 10, end * 6 // 10 + 2 * STEP_NS)), True, False)]
    whole = [ClipRequest(Grid(Span(0, end)), True, False)]
    with patch("decoders.clips.plan", return_value=None):  # what decode_clips does where it cannot be sure
        full = frames(path, whole), frames(path, sparse)
    assert_same(full[0], frames(path, whole))
    assert_same(full[1], frames(path, sparse))
    each = patch.multiple("decoders.timeline.selective", SHARE_FRAMES=1, WORTH_SHARING=0)
    with each, no_full_decode(path):  # every group of pictures is another decoder's
        assert_same(full[0], frames(path, whole, threads=3))


def no_full_decode(path: Path) -> AbstractContextManager[object]:
    """Where there is an exact plan it is kept to: falling back would only be slow, and go unseen."""
    timeline = read_timeline(str(path), DEFAULT)
    if plan(timeline, np.arange(0, timeline.duration_ns, STEP_NS)) is None:
        return nullcontext()
    return patch("decoders.clips.FullReader", side_effect=AssertionError("decoded in full"))


def frames(path: Path, requests: list[ClipRequest], threads: int = 1) -> DecodedFrames:
    (clip,) = decode_clips(str(path), requests, {"rgb": np.copy}, threads=threads)
    assert clip.frames is not None
    return clip.frames


def assert_same(expected: DecodedFrames, found: DecodedFrames) -> None:
    np.testing.assert_array_equal(expected.pts_ns, found.pts_ns)
    np.testing.assert_array_equal(expected.frame_of_step, found.frame_of_step)
    np.testing.assert_array_equal(expected.prepared.get("rgb", []), found.prepared.get("rgb", []))


@pytest.mark.parametrize("name", ["gap.mkv", "gap.ts", "gap.mp4"])
def test_a_gap_in_the_sound_is_silence_and_masked(name: str, matrix: Matrix) -> None:
    clip = matrix.clip(f"audio_{name}")
    assert clip.audio is not None
    silent = [step for step, sounding in enumerate(clip.audio.mask) if not sounding]
    assert silent, "a gap of 0.6 s holds a whole step"
    for step in silent:
        assert not clip.audio.waveform[step * 8000 : (step + 1) * 8000].any()
    assert any(remark.startswith("sound_gap@") for remark in clip.audio.remarks)


def test_frames_end_where_their_packets_end(matrix: Matrix) -> None:
    clip = matrix.clip("short_video.mkv")  # 2.6 s of pictures, 5 s of sound
    assert clip.frames is not None
    assert clip.frames.mask.tolist() == [1] * 5 + [0] * (clip.grid.steps - 5)
    assert clip.frames.pts_ns.max() < 2.6 * SECOND_NS


@pytest.mark.parametrize(
    "name", ["mpeg4_mp3lame.avi", "mpeg4_ac3.avi", "theora_vorbis.ogv", "theora_vorbis.mkv"]
)
def test_mpeg4_in_avi_and_theora_are_not_decoded_in_full(name: str, matrix: Matrix) -> None:
    """AVI has no presentation times, Theora starts at keyframes: neither costs a full decode."""
    timeline = read_timeline(str(matrix.path(name)), DEFAULT)
    assert timeline.video is not None
    found = plan(timeline, np.array([STEP_NS // 2, 4 * SECOND_NS]))
    assert found is not None
    assert np.count_nonzero(found.action) < len(found.action) // 2
    assert np.count_nonzero(timeline.video.starts) > 3
