"""What is read of a file: no more than its bytes, and no failing disk is taken for a file's end."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from decoders.limits import DEFAULT
from decoders.timeline.timeline import read_timeline

SECONDS, FPS = 10, 30


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MP4 whose sound lies after all of its pictures, many MB further on."""
    path = tmp_path_factory.mktemp("apart") / "apart.mp4"
    scene = "testsrc2=size=640x360:rate=30,noise=alls=20:allf=t,format=yuv420p"
    with (
        av.open(scene, format="lavfi") as pictures,
        av.open("anoisesrc=sample_rate=48000", format="lavfi") as waves,
        av.open(str(path), "w", options={"max_interleave_delta": "1"}) as output,
    ):
        shown = output.add_stream("mpeg4", rate=FPS, options={"qscale": "4", "flags": "+qscale"})
        heard = output.add_stream("aac", rate=48000)
        assert isinstance(shown, av.VideoStream)
        assert isinstance(heard, av.AudioStream)
        shown.width, shown.height, shown.pix_fmt = 640, 360, "yuv420p"
        for number, frame in enumerate(pictures.decode(video=0)):
            if number == FPS * SECONDS:
                break
            output.mux(shown.encode(frame))
        output.mux(shown.encode(None))
        for sound in waves.decode(audio=0):
            if sound.time is not None and sound.time >= SECONDS:
                break
            output.mux(heard.encode(sound))
        output.mux(heard.encode(None))
    return path


def counted(patch: pytest.MonkeyPatch, before: Callable[[int], None]) -> list[int]:
    """How many bytes every call of os.read gives; `before` is told their sum before each."""
    real, sizes = os.read, list[int]()

    def read(descriptor: int, size: int) -> bytes:
        before(sum(sizes))
        content = real(descriptor, size)
        sizes.append(len(content))
        return content

    patch.setattr(os, "read", read)
    return sizes


def test_a_file_whose_sound_lies_apart_is_read_once(apart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = counted(monkeypatch, lambda _: None)
    timeline = read_timeline(str(apart), DEFAULT)
    assert timeline.video is not None
    assert timeline.audio is not None
    assert len(timeline.video.pts) == FPS * SECONDS
    size = apart.stat().st_size
    assert size > 10_000_000
    assert size < sum(sizes) < 1.5 * size


def test_a_disk_that_fails_is_not_the_end_of_the_file(apart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(so_far: int) -> None:
        if so_far > 2_000_000:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    counted(monkeypatch, fail)
    with pytest.raises(OSError, match="Input/output error") as caught:
        read_timeline(str(apart), DEFAULT)
    assert caught.value.errno == errno.EIO
    assert not isinstance(caught.value, av.error.FFmpegError)
