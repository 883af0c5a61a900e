"""FAVOR's frame rule against the released arithmetic, written out by hand on PyAV's own frames."""

from fractions import Fraction
from math import ceil
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.flashes import ffmpeg
from decoders.clips import decode_clips
from decoders.probe import probe
from decoders.timeline.windows import window_starts
from schemas.grid import SECOND_NS, FrameAt, Grid, Span
from schemas.media import ClipRequest

RATES = ["24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001"]
SECONDS = [7.3, 7, 0.6, 1, 12.96]


def film(path: Path, rate: str, seconds: float, *more: str) -> Path:
    source = f"testsrc=size=64x48:rate={rate}"
    options = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-pix_fmt", "yuv420p"]
    ffmpeg("-f", "lavfi", "-i", source, "-t", seconds, *more, *options, path)
    return path


def released(path: Path) -> list[Fraction | None]:
    """Seconds of the chosen frames, from the stream's start: one-second windows, the last moved back to end
    with the video, first and last frame of each."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        base, start = stream.time_base, stream.start_time
        assert base is not None
        assert start is not None
        pts = sorted(frame.pts for frame in container.decode(stream) if frame.pts is not None)
        header = stream.duration
    duration = (pts[-1] - start if header is None else header - start) * base
    windows, begin = [], Fraction(0)
    while True:
        windows.append(begin)
        following = max(Fraction(0), begin + 1 - max(Fraction(0), begin + 2 - duration))
        if following - begin < 1e-6:
            break
        begin = following
    chosen: list[Fraction | None] = []
    for begin in windows:
        low, high = ceil(begin / base) + start, ceil((begin + 1) / base) + start
        inside = [p for p in pts if low <= p < high]
        chosen += [(p - start) * base for p in (inside[0], inside[-1])] if inside else [None, None]
    return chosen


def ours(path: Path, span: Span | None = None) -> list[Fraction | None]:
    """Seconds from the video's start."""
    info = probe(str(path))
    assert info.video is not None
    grid = Grid(span or Span(0, info.duration_ns), FrameAt.FAVOR)
    (clip,) = decode_clips(str(path), [ClipRequest(grid, True, False)], {"rgb": np.copy})
    assert clip.frames is not None
    start = info.video.start_ns
    return [None if pts < 0 else Fraction(pts - start, SECOND_NS) for pts in clip.frames.pts_ns.tolist()]


def agree(path: Path) -> list[Fraction | None]:
    mine, theirs = ours(path), released(path)
    assert len(mine) == len(theirs)
    for a, b in zip(mine, theirs, strict=True):
        assert (a is None) == (b is None)
        assert a is None or b is None or abs(a - b) < Fraction(2, SECOND_NS)
    return mine


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("rate", RATES)
def test_the_released_frames(rate: str, suffix: str, tmp_path: Path) -> None:
    for seconds in SECONDS:
        agree(film(tmp_path / f"{seconds}.{suffix}", rate, seconds))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_variable_rates_gaps_and_a_late_start(suffix: str, tmp_path: Path) -> None:
    thinned = "select='not(mod(n,7))+lt(mod(n,60),11)',setpts='PTS+gt(N,40)*2.4/TB'"
    variable = agree(film(tmp_path / f"v.{suffix}", "30", 9.5, "-vf", thinned, "-fps_mode", "vfr"))
    assert None in variable  # a second without a frame
    silence = ["-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono"]
    late = tmp_path / f"late.{suffix}"
    plain = film(tmp_path / f"plain.{suffix}", "25", 5.4)
    ffmpeg(
        *silence, "-itsoffset", 0.72, "-i", plain, "-map", "0:a", "-map", "1:v", "-c:v", "copy", "-t", 7, late
    )
    info = probe(str(late))
    assert info.video is not None
    assert info.video.start_ns > 0.7 * SECOND_NS
    agree(late)


def test_two_frames_for_every_second_begun(tmp_path: Path) -> None:
    assert len(agree(film(tmp_path / "a.mp4", "25", 7.3))) == 16
    assert len(agree(film(tmp_path / "b.mp4", "25", 0.6))) == 2


def test_over_a_minute(tmp_path: Path) -> None:
    assert len(agree(film(tmp_path / "long.mp4", "24000/1001", 61.4))) == 124


def test_the_old_rule_took_other_frames(tmp_path: Path) -> None:
    """The last frame at or before k is not the first at or after it."""
    seconds = agree(film(tmp_path / "a.mp4", "30000/1001", 7.3))
    frame = Fraction(1001, 30000)
    firsts = [second for second in seconds[::2] if second is not None]
    assert sum(second - k >= frame / 100 for k, second in enumerate(firsts[:-1])) >= 3
    assert all(k <= second < k + frame for k, second in enumerate(firsts[:-1]))


def test_a_span_is_read_as_a_file_cut_to_it(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", "25", 12.96)
    span = Span(4 * SECOND_NS, round(6.4 * SECOND_NS))
    times = [float(t) for t in ours(path, span) if t is not None]
    assert times == pytest.approx([4, 4.96, 5, 5.96, 5.4, 6.36], abs=1e-6)
    (first, _) = ours(path, Span(5 * SECOND_NS, round(5.3 * SECOND_NS)))
    assert first == 5


def test_pixels_are_those_of_the_chosen_frames(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", "30000/1001", 2.3)
    whole = ffmpeg("-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    frames = np.frombuffer(whole, np.uint8).reshape(-1, 48, 64, 3)
    grid = Grid(Span(0, probe(str(path)).duration_ns), FrameAt.FAVOR)
    (clip,) = decode_clips(str(path), [ClipRequest(grid, True, False)], {"rgb": np.copy})
    assert clip.frames is not None
    numbers = [round(second * 30000 / 1001) for second in released(path) if second is not None]
    pictures = np.asarray(clip.frames.prepared["rgb"])[clip.frames.frame_of_step]
    np.testing.assert_array_equal(pictures, frames[numbers])


@pytest.mark.parametrize(
    ("duration", "starts"),
    [("7.3", [0, 1, 2, 3, 4, 5, 6, Fraction("6.3")]), ("3", [0, 1, 2]), ("0.4", [0]), ("1.0000005", [0])],
)
def test_windows(duration: str, starts: list[Fraction]) -> None:
    assert window_starts(Fraction(duration)) == starts
