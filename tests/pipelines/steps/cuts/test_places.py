"""Scenes and pauses of media whose truth is known, in pieces as the step decodes them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from decoders.clips import decode_clips
from pipelines.steps.cuts import places as places_of
from pipelines.steps.cuts.places import places, speech_places
from schemas.cuts import CutAt, Places
from schemas.grid import SECOND_NS, STEP_NS, Grid, cut
from schemas.media import ClipRequest, DecodedClip
from signals.picture.small import FRAMES

DEMO = Path(__file__).parents[4] / "demo" / "media"
PICTURES = sorted((DEMO / "pictures").glob("*.jpg"))
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def pieces(path: Path, seconds: float, piece_ns: int, *, scenes: bool) -> Iterator[DecodedClip]:
    requests = [
        ClipRequest(Grid(span), scenes, not scenes) for span in cut(round(seconds * SECOND_NS), piece_ns)
    ]
    return decode_clips(str(path), requests, FRAMES if scenes else {})


@pytest.mark.parametrize("piece_s", [2, 32])
def test_scenes_begin_where_the_pictures_change(tmp_path: Path, piece_s: int) -> None:
    lengths = [2.5, 1.5, 4.0, 3.0, 2.0]
    inputs: list[str] = []
    for picture, seconds in zip(PICTURES, lengths, strict=True):
        inputs += ["-loop", "1", "-framerate", "25", "-t", str(seconds), "-i", str(picture)]
    chain = "".join(f"[{n}]scale=320:240,setsar=1[s{n}];" for n in range(5))
    chain += "[s0][s1][s2][s3][s4]concat=n=5[out]"
    path = tmp_path / "film.mp4"
    command = [*inputs, "-filter_complex", chain, "-map", "[out]", "-c:v", "libx264", "-pix_fmt", "yuv420p"]
    subprocess.run([FFMPEG, "-v", "error", "-nostdin", *command, str(path)], check=True)
    found = places(CutAt.SCENES, pieces(path, sum(lengths), piece_s * SECOND_NS, scenes=True))
    assert found == Places((5, 8, 16, 22))


def test_speech_begins_and_ends_where_silence_does(tmp_path: Path) -> None:
    spoken = str(DEMO / "speech" / "sense_and_sensibility_0880.flac")
    path = tmp_path / "talk.wav"
    silence = ["-f", "lavfi", "-t", "4", "-i", "anullsrc=r=16000:cl=mono"]
    chain = ["-filter_complex", "[1]asplit[a][b];[0][a][2][b][3]concat=n=5:v=0:a=1[out]", "-map", "[out]"]
    inputs = [*silence, "-i", spoken, *silence, *silence]
    subprocess.run(
        [FFMPEG, "-v", "error", "-nostdin", *inputs, *chain, "-ar", "16000", str(path)], check=True
    )
    with av.open(str(path)) as container:
        assert container.duration
        seconds = container.duration / 1e6
    said_s = (seconds - 12) / 2
    found = places(CutAt.SPEECH, pieces(path, seconds, places_of.PIECE_NS, scenes=False))
    true = [4, 4 + said_s, 8 + said_s, 8 + 2 * said_s]
    assert len(found.cuts) == 4
    for step, at, outward in zip(found.cuts, true, (-1, 1, -1, 1), strict=True):
        assert -0.35 <= outward * (step / 2 - at) <= 1.0, (step, at)  # in the silence, not in the speech


def test_pauses_are_named_by_a_step_inside_them() -> None:
    def at(second: float) -> int:
        return round(second * 16_000 / 512)

    spoken = np.ones(at(20), bool)
    spoken[at(3.3) : at(4.5)] = False  # 1.2 s
    spoken[at(7.1) : at(7.4)] = False  # between two steps: no place
    spoken[at(9.47) : at(9.53)] = False  # speech goes on
    spoken[at(12) : at(15)] = False
    spoken[at(13) : at(13.2)] = True  # a cough
    found = speech_places(spoken, 40)
    assert found.cuts == (24, 30)
    assert [step for step, _ in found.pauses] == [8, 27]
    assert found.pauses[0][1] == pytest.approx(1200, abs=40)


def test_what_is_all_silence_or_all_speech_has_no_place() -> None:
    assert speech_places(np.zeros(400, bool), 26) == Places()
    assert speech_places(np.ones(400, bool), 26) == Places()
    assert places(CutAt.SPEECH, iter(())) == Places()
    assert STEP_NS * 64 == places_of.PIECE_NS
