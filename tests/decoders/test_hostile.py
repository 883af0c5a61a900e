"""Media made to hurt: damage, bombs, what is no media. References to other files: test_references.py."""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.alignment import decode_whole, wrong_steps
from benchmarks.flashes import ffmpeg, full_decode
from benchmarks.mutants import mutants
from decoders.limits import DEFAULT
from decoders.probe import probe
from decoders.processes.pool import DecoderPool
from decoders.processes.worker import DecodeJob
from decoders.streams.still import decode_image
from decoders.timeline.timeline import read_timeline
from schemas.grid import SECOND_NS, Grid, cut
from schemas.media import ClipRequest
from schemas.reasons import MediaError, Reason
from tests.decoders.conftest import Matrix


def test_fifos_and_devices_and_folders_are_not_read(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.mp4"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path, Path("/dev/zero")):
        with pytest.raises(MediaError) as caught:
            probe(str(path))
        assert caught.value.reason == Reason.UNREADABLE


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", Reason.EMPTY_FILE), (b"\0" * 5000, Reason.NOT_MEDIA), (b"hello, world\n" * 500, Reason.NOT_MEDIA),
     (b"\x89PNG\r\n\x1a\nrubbish", Reason.NOT_MEDIA), (b"RIFF\xff\xff\xff\xffAVI LIST", Reason.CORRUPT)],
)  # fmt: skip
def test_what_is_no_media_is_said_so(content: bytes, reason: Reason, tmp_path: Path) -> None:
    path = tmp_path / "file.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError) as caught:
        probe(str(path))
    assert caught.value.reason == reason


def test_a_picture_bomb_is_too_large(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    )
    for attempt in (lambda: probe(str(path)), lambda: decode_image(str(path), {})):
        with pytest.raises(MediaError) as caught:
            attempt()
        assert caught.value.reason == Reason.TOO_LARGE


def test_limits_on_pixels_streams_and_duration(tmp_path: Path, matrix: Matrix) -> None:
    path = str(matrix.path("x264_aac.mp4"))
    for limits in (
        replace(DEFAULT, pixels=160 * 119),
        replace(DEFAULT, duration_s=3.0),
        replace(DEFAULT, packets=50),
        replace(DEFAULT, streams=1),
    ):
        with pytest.raises(MediaError) as caught:
            probe(path, limits)
        assert caught.value.reason == Reason.TOO_LARGE


def test_only_streams_that_decode_count(tmp_path: Path) -> None:
    path = tmp_path / "subtitles.mkv"
    ffmpeg("-f", "srt", "-i", "-", path, stdin=b"1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    with pytest.raises(MediaError) as caught:
        probe(str(path))
    assert caught.value.reason == Reason.NO_STREAMS


def test_cover_art_is_no_video(tmp_path: Path, matrix: Matrix) -> None:
    cover, path = tmp_path / "cover.png", tmp_path / "song.mp3"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64:d=1", "-frames:v", 1, cover)
    ffmpeg("-i", matrix.path("mp3.mp3"), "-i", cover, "-map", 0, "-map", 1, "-c", "copy",
           "-disposition:v", "attached_pic", path)  # fmt: skip
    info = probe(str(path))
    assert info.video is None
    assert info.audio is not None


def test_a_temporal_layer_that_hevc_forbids_costs_no_more_than_its_pictures(
    tmp_path: Path, matrix: Matrix
) -> None:
    """Found by a mutant: the worker ended with an OverflowError. ffmpeg leaves such pictures out."""
    data = bytearray(matrix.path("x265_opus.mkv").read_bytes())
    slices = [at for at in range(len(data) - 1) if data[at] in (0x02, 0x26, 0x28) and data[at + 1] == 1]
    assert slices
    for at in slices[1::2]:
        data[at + 1] = 0
    path = tmp_path / "damaged.mkv"
    path.write_bytes(data)
    assert probe(str(path)) == probe(str(matrix.path("x265_opus.mkv")))
    track = read_timeline(str(path), DEFAULT).video
    assert track is not None
    assert not track.layer.any()
    wrong = wrong_steps(decode_whole(path), full_decode(path, 160, 120))
    assert set(wrong) <= {10}  # after the last frame, whose length cannot be read off the few that are left


SEEDS = ["x264_aac.mp4", "x265_opus.mkv", "vpx-vp9_opus.webm", "mpeg4_mp3lame.avi", "x264_aac.ts",
         "x264_aac.flv", "theora_vorbis.ogv", "mp3.mp3", "flac.flac", "wav.wav"]  # fmt: skip


def test_mutated_files_cost_nobody_anything(tmp_path: Path, matrix: Matrix) -> None:
    """A hundred here; `python -m benchmarks.mutants` builds from as many as one likes."""
    originals = [matrix.path(name) for name in SEEDS]
    ended = 0
    with DecoderPool(2, replace(DEFAULT, deadline_s=20.0)) as pool:
        for which, data in mutants([path.read_bytes() for path in originals], 100, seed=7):
            path = tmp_path / f"mutant{originals[which].suffix}"
            path.write_bytes(data)
            try:
                info = pool.probe(str(path))
                spans = cut(info.duration_ns, 30 * SECOND_NS)[:2]
                has = info.video is not None, info.audio is not None
                requests = tuple(ClipRequest(Grid(span), *has) for span in spans)
                clips = list(pool.submit(DecodeJob(str(path), requests, {"rgb": np.copy})))
                assert len(clips) == len(spans)
            except MediaError as error:
                assert error.reason not in {Reason.DECODER_CRASHED, Reason.TIMED_OUT}, (error, which)  # noqa: PT017
            ended += 1
    assert ended == 100
