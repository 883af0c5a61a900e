"""Every frame of a span, as the ffmpeg command has them; the grid's frames are the same with it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from decoders.clips import decode_clips
from decoders.processes import wire
from schemas.grid import SECOND_NS, Grid, Span
from schemas.media import ClipRequest, DecodedClip, DecodedFilm
from signals.picture.small import FRAMES

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


@pytest.fixture(params=["film.mp4", "film.mkv", "film.avi"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    made = tmp_path / str(request.param)
    source = ["-f", "lavfi", "-i", "testsrc2=s=192x128:r=25", "-f", "lavfi", "-i", "sine=f=300:r=48000"]
    codecs = ["-c:v", "libx264", "-bf", "0" if made.suffix == ".avi" else "2", "-g", "30"]
    command = [*source, "-t", "8", *codecs, "-pix_fmt", "yuv420p", str(made)]
    subprocess.run([FFMPEG, "-v", "error", *command], check=True)
    return made


def clips(path: Path, *spans: tuple[int, int], film: bool, threads: int = 1) -> list[DecodedClip]:
    requests = [ClipRequest(Grid(Span(a * SECOND_NS, b * SECOND_NS)), True, True, film) for a, b in spans]
    return list(decode_clips(str(path), requests, FRAMES, threads=threads))


def film_of(clip: DecodedClip) -> DecodedFilm:
    assert clip.film is not None
    return clip.film


def test_a_film_has_every_frame_of_its_span(path: Path) -> None:
    [clip] = clips(path, (2, 5), film=True)
    film = film_of(clip)
    chain = "trim=2:5,scale=64:64:flags=area,format=gray"
    command = ["-i", str(path), "-vf", chain, "-fps_mode", "passthrough", "-f", "rawvideo", "-"]
    raw = subprocess.run([FFMPEG, "-v", "error", *command], check=True, capture_output=True).stdout
    expected = np.frombuffer(raw, np.uint8).reshape(-1, 64, 64).astype(int)
    assert len(expected) == 75
    assert abs(int((film.pts_ns >= 2 * SECOND_NS).sum()) - 75) <= 1  # the first may have appeared before
    assert np.diff(film.pts_ns) / SECOND_NS == pytest.approx(0.04, abs=0.001)
    ours = film.frames[-50:].astype(int)
    assert min(np.abs(ours - expected[-50 - skip : 75 - skip]).mean() for skip in (0, 1)) < 3


@pytest.mark.parametrize("threads", [1, 3])
def test_the_grids_frames_and_the_sound_are_the_same_with_a_film(path: Path, threads: int) -> None:
    spans = ((0, 3), (2, 4), (6, 8))
    with_film = clips(path, *spans, film=True, threads=threads)
    for one, other in zip(with_film, clips(path, *spans, film=False), strict=True):
        assert one.frames is not None
        assert one.audio is not None
        assert other.frames is not None
        assert other.audio is not None
        assert (one.frames.pts_ns == other.frames.pts_ns).all()
        for name, made in one.frames.prepared.items():
            assert np.array_equal(np.asarray(made), np.asarray(other.frames.prepared[name]))
        assert np.array_equal(one.audio.waveform, other.audio.waveform)
        assert other.film is None
    lengths = [len(film_of(clip).frames) for clip in with_film]
    assert lengths == pytest.approx([75, 50, 50], abs=2)


def test_a_film_goes_over_the_wire(path: Path) -> None:
    [clip] = clips(path, (0, 2), film=True)
    header, buffers = wire.pack_clip(clip)
    back = wire.unpack_clip(clip.grid, header, [memoryview(bytes(one)) for one in buffers])
    assert np.array_equal(film_of(back).frames, film_of(clip).frames)
    assert np.array_equal(film_of(back).pts_ns, film_of(clip).pts_ns)
    buffers[-1] = buffers[-1][:-8]
    with pytest.raises(wire.BrokenMessageError):
        wire.unpack_clip(clip.grid, header, [memoryview(bytes(one)) for one in buffers])
