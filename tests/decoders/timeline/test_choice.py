"""Which sound of several, and of which program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.changes.family import MEMBERS, make
from benchmarks.changes.judge import decode, judge, right
from benchmarks.flashes import ffmpeg
from decoders.clips import decode_clips
from decoders.probe import probe
from decoders.timeline.choice import language
from decoders.timeline.programs import programs
from schemas.grid import SECOND_NS, Grid, Span
from schemas.media import ClipRequest
from schemas.reasons import MediaError, Reason

HERTZ = (440, 880, 1320)
SOUNDS = [argument for hertz in HERTZ for argument in ("-f", "lavfi", "-i", f"sine={hertz}:d=2")]


def heard(path: Path, track: str = "") -> int:
    """The tone of the sound that is picked."""
    request = ClipRequest(Grid(Span(0, SECOND_NS)), False, True)
    (clip,) = decode_clips(str(path), [request], {}, audio_track=track)
    assert clip.audio is not None
    return int(np.abs(np.fft.rfft(clip.audio.waveform)).argmax())


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three languages; the second has the most channels, none is marked as the default."""
    path = tmp_path_factory.mktemp("tracks") / "tracks.mkv"
    maps, tags = [], []
    for number, name in enumerate(("eng", "fre", "ger")):
        maps += ["-map", number]
        tags += [f"-metadata:s:a:{number}", f"language={name}"]
    ffmpeg(*SOUNDS, *maps, "-c:a", "ac3", "-ac:a:1", 6, *tags, "-disposition:a", 0, path)
    return path


@pytest.mark.parametrize(
    ("track", "hertz"),
    [("", 440), ("1", 440), ("2", 880), ("3", 1320), ("en", 440), ("fr", 880), ("fra", 880), ("de", 1320)],
)
def test_a_track_by_number_or_language_the_main_one_by_default(track: str, hertz: int, tracks: Path) -> None:
    assert abs(heard(tracks, track) - hertz) <= 1


def test_the_default_one_is_the_main_one_unless_it_is_a_commentary(tmp_path: Path) -> None:
    marked, commentary = tmp_path / "marked.mkv", tmp_path / "commentary.mkv"
    common = [*SOUNDS, "-map", 0, "-map", 1, "-c:a", "flac"]
    ffmpeg(*common, "-disposition:a:0", 0, "-disposition:a:1", "default", marked)
    ffmpeg(*common, "-disposition:a:0", "default+comment", "-disposition:a:1", 0, commentary)
    assert abs(heard(marked) - 880) <= 1
    assert abs(heard(commentary) - 880) <= 1


def test_a_track_that_is_not_there_is_said_with_those_that_are(tracks: Path) -> None:
    for absent in ("4", "it"):
        with pytest.raises(MediaError, match="1 eng, 2 fre, 3 ger") as caught:
            probe(str(tracks), audio_track=absent)
        assert caught.value.reason == Reason.MISSING_MODALITY


@pytest.mark.parametrize("text", ["xx1", "", "english-"])
def test_only_languages(text: str) -> None:
    with pytest.raises(ValueError, match="no language"):
        language(text)


def test_pictures_and_sound_are_of_one_program(tmp_path: Path) -> None:
    path = tmp_path / "two.ts"
    small, large = "testsrc=s=160x120:d=2", "testsrc=s=320x240:d=2"
    ffmpeg("-f", "lavfi", "-i", small, "-f", "lavfi", "-i", large, *SOUNDS[:8], "-map", 0, "-map", 1,
           "-map", 2, "-map", 3, "-c:v", "mpeg2video", "-c:a", "mp2", "-program", "title=a:st=0:st=2",
           "-program", "title=b:st=1:st=3", path)  # fmt: skip
    assert len(programs(str(path))) == 2
    assert abs(heard(path) - 880) <= 1


def test_a_file_that_is_no_transport_stream_has_no_programs(tracks: Path) -> None:
    assert programs(str(tracks)) == []


def test_pictures_that_ffmpeg_takes_for_sound_are_not_picked(tmp_path: Path) -> None:
    [member] = [m for m in MEMBERS if m.name == "mpeg2video_mp2_lost_gop250.mpg"]
    path = make(member, tmp_path)
    assert right(member, judge(member, decode(path)))
