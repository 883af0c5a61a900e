"""Media that refer to other files or to the network: nothing but the file itself is opened."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from decoders.clips import decode_clips
from decoders.probe import probe
from schemas.grid import SECOND_NS, Grid, Span
from schemas.media import ClipRequest
from schemas.reasons import MediaError, Reason
from tests.decoders.conftest import Matrix

ROOT = Path(__file__).parents[2]


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


HOLDERS = (b"moov", b"trak", b"mdia", b"minf", b"dinf")


def refer(boxes: bytes, name: str) -> bytes:
    """A QuickTime film (`boxes`) whose tracks lie in the file `name` beside it, by an alias record."""
    made, at = b"", 0
    while at < len(boxes):
        size, kind = int.from_bytes(boxes[at : at + 4], "big"), boxes[at + 4 : at + 8]
        content = boxes[at + 8 : at + size]
        if kind in HOLDERS:
            content = refer(content, name)
        elif kind == b"dref":
            content = content[:8] + _alias(name)
        made += (8 + len(content)).to_bytes(4, "big") + kind + content
        at += size
    return made


def _alias(name: str) -> bytes:
    """As FFmpeg's mov_read_dref reads it: levels up and down at 130, then the path, record type 2."""
    path = f"/{name}".encode().ljust(-(-(len(name) + 1) // 2) * 2, b"\0")
    record = bytes(130) + b"\0\1\0\1" + bytes(16) + b"\0\2" + len(path).to_bytes(2, "big") + path
    record += b"\xff\xff\0\0"
    return (12 + len(record)).to_bytes(4, "big") + b"alis" + bytes(4) + record


@pytest.fixture
def hostile(tmp_path: Path, listener: Listener, matrix: Matrix) -> list[Path]:
    """Every kind of reference to every target, in a folder where `secret.ts` and `secret.mov` lie."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    shutil.copy(matrix.path("x264_aac.ts"), folder / "secret.ts")
    film = matrix.path("mjpeg_pcm_s16le.mov")
    shutil.copy(film, folder / "secret.mov")
    (folder / "refers.mov").write_bytes(refer(film.read_bytes(), "secret.mov"))
    paths = [folder / "refers.mov"]
    for number, target in enumerate([*TARGETS, "secret.ts"]):
        for name, text in PLAYLISTS.items():
            filled = text.replace("{target}", target).replace("{port}", str(listener.port))
            paths.append(folder / f"{number}{name}")
            paths[-1].write_text(filled, encoding="utf-8")
    return paths


GLIBCS_OWN = "/proc/sys/vm/overcommit_memory"  # malloc asks when it gives memory back
CALL = re.compile(
    r'(?:\d+ +)?(?:(?:open|openat)\((?:AT_FDCWD, )?"([^"]*)"|(socket|connect|bind|execve)\((.*))'
)


def reached(paths: list[Path], harmless: Path, *guards_out: str) -> set[tuple[str, str]]:
    """(hostile file, what else was opened or called while it was read), as the kernel saw it."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed (apt-get install strace)")
    program = Path(__file__).with_name("hostile_program.py")
    log = paths[0].with_name("strace.log")
    calls = "trace=?open,openat,socket,connect,bind,execve"
    subprocess.run(
        ["strace", "-f", "-s", "4096", "-e", calls, "-e", "signal=none", "-o", log,
         sys.executable, program, harmless, *paths, *guards_out],
        check=True, timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    found: set[tuple[str, str]] = set()
    reading = ""
    for line in log.read_text().splitlines():
        if call := CALL.match(line):
            target = call[1] or f"{call[2]} {call[3]}"
            if target.endswith(".begins"):
                reading = target.removesuffix(".begins")
            elif reading and target not in (reading, GLIBCS_OWN):
                found.add((Path(reading).name, target))
    assert reading == str(paths[-1]), "the program did not read every file"
    return found


def test_nothing_but_the_file_itself_is_opened(hostile: list[Path], matrix: Matrix) -> None:
    assert reached(hostile, matrix.path("x264_aac.mp4")) == set()


def test_the_lists_of_protocols_and_demuxers_suffice(hostile: list[Path], matrix: Matrix) -> None:
    """Should a text slip through that names other files."""
    assert reached(hostile, matrix.path("x264_aac.mp4"), "--no-texts-refused") == set()


def test_without_the_guards_the_watch_sees_files_and_sockets(
    hostile: list[Path], listener: Listener, matrix: Matrix
) -> None:
    harmless, folder = matrix.path("x264_aac.mp4"), hostile[0].parent
    seen = {
        "refers.mov": str(folder / "secret.mov"),
        "4hls.m3u8": str(folder / "secret.ts"),
        "4list.ffconcat": str(folder / "secret.ts"),
        "0subtitles.idx": str(folder / "0subtitles.sub"),
    }
    found = reached([folder / "refers.mov"], harmless, "--no-lists")
    assert ("refers.mov", seen["refers.mov"]) in found
    some = [folder / name for name in (*seen, "2hls.m3u8")]  # others wait for an answer
    found = reached(some, harmless, "--no-lists", "--no-texts-refused")
    assert seen.items() <= found
    assert "2hls.m3u8" in {name for name, target in found if target.startswith("connect")}
    assert listener.visits > 0


def test_a_film_whose_tracks_lie_elsewhere_is_said_so(hostile: list[Path]) -> None:
    with pytest.raises(MediaError) as caught:
        probe(str(hostile[0]))
    assert caught.value.reason is Reason.CORRUPT
