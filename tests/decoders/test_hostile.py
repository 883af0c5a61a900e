"""Media made to hurt: references to other files, damage, bombs."""

from __future__ import annotations

import os
import socket
import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.flashes import ffmpeg
from benchmarks.mutants import mutants
from decoders.clips import decode_clips
from decoders.limits import DEFAULT
from decoders.probe import probe
from decoders.processes.pool import DecoderPool
from decoders.processes.worker import DecodeJob
from decoders.streams.still import decode_image
from schemas.grid import SECOND_NS, Grid, Span, cut
from schemas.media import ClipRequest
from schemas.reasons import MediaError, Reason
from tests.decoders.conftest import Matrix


class Listener:
    """A port that counts who comes."""

    def __init__(self) -> None:
        self.visits = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.visits += 1
            connection.close()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


TARGETS = [
    "/etc/hostname",
    "file:///etc/hostname",
    "http://127.0.0.1:{port}/a.ts",
    "concat:/etc/hostname|/etc/passwd",
]

PLAYLISTS = {
    "hls.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n",
    "hls_in_disguise.mp4": "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\n{target}\n",
    "byte_order_mark.mp4": "\ufeff#EXTM3U\n#EXTINF:1,\n{target}\n",
    "blank_lines.mp4": "\n\n  #EXTM3U\n#EXTINF:1,\n{target}\n",
    "hls_key.m3u8": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF:1,\n{target}\n',
    "list.ffconcat": "ffconcat version 1.0\nfile '{target}'\n",
    "list.txt": "file '{target}'\n",
    "dash.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
    '<AdaptationSet><Representation id="1"><BaseURL>{target}</BaseURL></Representation></AdaptationSet>'
    "</Period></MPD>",
    "bare_dash.mpd": '<MPD><Period><AdaptationSet><BaseURL>{target}</BaseURL></AdaptationSet></Period></MPD>',
    "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video {port} RTP/AVP 96\n",
    "smil.smil": '<smil><body><video src="{target}"/></body></smil>',
    "playlist.pls": "[playlist]\nFile1={target}\n",
    "subtitles.idx": "# VobSub index file, v7\nid: en, index: 0\n{target}\n",
    "subtitles.vtt": "WEBVTT\n\n00:00.000 --> 00:01.000\n{target}\n",
    "picture.svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="{target}"/></svg>',
    "rtsp.mov": "RTSPtext\r\nrtsp://127.0.0.1:{port}/x\r\n",
}  # fmt: skip


@pytest.mark.parametrize("name", PLAYLISTS)
def test_playlists_are_refused_before_anything_is_opened(
    name: str, tmp_path: Path, listener: Listener
) -> None:
    for number, target in enumerate(TARGETS):
        path = tmp_path / f"{number}{name}"
        filled = PLAYLISTS[name].replace("{target}", target).replace("{port}", str(listener.port))
        path.write_text(filled, encoding="utf-8")
        with pytest.raises(MediaError) as caught:
            probe(str(path))
        assert caught.value.reason in {Reason.REFUSED_FORMAT, Reason.NOT_MEDIA}
        request = ClipRequest(Grid(Span(0, SECOND_NS)), True, False)
        for decoder in ("pyav", "decord"):
            with pytest.raises(MediaError):
                list(decode_clips(str(path), [request], {}, decoder))
    assert listener.visits == 0


@pytest.mark.parametrize(
    "path", ["concat:/etc/hostname|/etc/hostname", "http://127.0.0.1:{port}/a.mp4", "file:/etc/hostname",
             "fd:0", "pipe:0", "data:video/mp4;base64,AAAA", "img%03d.png", "a\0b.mp4"],
)  # fmt: skip
def test_a_path_is_a_path_and_never_a_protocol(path: str, listener: Listener) -> None:
    with pytest.raises(MediaError) as caught:
        probe(path.format(port=listener.port))
    assert caught.value.reason in {Reason.NOT_FOUND, Reason.UNREADABLE}
    assert listener.visits == 0


def test_a_mov_that_refers_to_another_file_does_not_open_it(tmp_path: Path, matrix: Matrix) -> None:
    """QuickTime data references (`dref` entries that are not self-contained)."""
    data = bytearray(matrix.path("mjpeg_pcm_s16le.mov").read_bytes())
    at = data.find(b"dref")
    assert at > 0
    while at > 0:
        flags = data.find(b"url ", at, at + 40)
        flags = flags if flags > 0 else data.find(b"alis", at, at + 40)
        data[flags + 4 : flags + 8] = b"\0\0\0\0"  # no longer "in this file"
        at = data.find(b"dref", at + 4)
    path = tmp_path / "refers.mov"
    path.write_bytes(data)
    try:
        probe(str(path))
    except MediaError as error:
        assert error.reason in set(Reason)  # noqa: PT017


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


def test_a_temporal_layer_that_hevc_forbids_is_damage(tmp_path: Path, matrix: Matrix) -> None:
    """Found by a mutant: the worker ended with an OverflowError."""
    data = bytearray(matrix.path("x265_opus.mkv").read_bytes())
    slices = [at for at in range(len(data) - 1) if data[at] in (0x02, 0x26, 0x28) and data[at + 1] == 1]
    assert slices
    for at in slices:
        data[at + 1] = 0
    path = tmp_path / "damaged.mkv"
    path.write_bytes(data)
    try:
        probe(str(path))
    except MediaError as error:
        assert error.reason is Reason.CORRUPT  # noqa: PT017


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
