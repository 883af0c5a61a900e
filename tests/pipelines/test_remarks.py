"""What a record says of its media, and which samples of a corpus that 0.1.0 built are made anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.json
import pytest
from PIL import Image

from benchmarks.changes.family import MEMBERS, make
from decoders.probe import probe
from pipelines.build import prepare
from pipelines.commands.command import main
from pipelines.metrics.progress import Progress
from pipelines.records import Probed
from pipelines.settings import Settings
from pipelines.steps.plan import plan_row
from schemas.cuts import Cutting
from schemas.grid import SECOND_NS, FrameAt
from schemas.manifest import InputRow
from schemas.media import MediaInfo, Modality, VideoStream
from tests.pipelines.conftest import WHISPER, ffmpeg, pictures


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("joined")
    [member] = [m for m in MEMBERS if m.name == "mpeg2video_mp2_join_gop30.ts"]
    return make(member, folder)


def test_a_join_is_said_in_the_record_and_only_there(
    joined: Path, media: Path, features: list[str], tmp_path: Path, read_samples: Callable
) -> None:
    sources = [str(joined), str(media / "talk.mp4")]
    assert main(["build", *sources, "--output", str(tmp_path / "o"), *features]) == 0
    samples = read_samples(tmp_path / "o")
    said = json.loads(samples[joined.name]["json"])
    assert said["remarks"] == ["joined@4.000"]
    assert "remarks" not in json.loads(samples["talk.mp4"]["json"])
    assert set(said["media"]["video"]) == {"uri", "sha256"}
    records = b"".join(members["json"] for members in samples.values())
    table = pyarrow.json.read_json(pa.BufferReader(records))
    assert table.schema.field("remarks").type == pa.list_(pa.string())


def test_pictures_that_no_file_can_hold_are_rows_and_the_others_are_built(
    media: Path, features: list[str], tmp_path: Path
) -> None:
    Image.new("RGB", (70_000, 400)).save(tmp_path / "scroll.png")
    Image.new("RGB", (1_000_000, 1)).save(tmp_path / "line.png")
    sources = [str(tmp_path / "scroll.png"), str(tmp_path / "line.png"), str(media / "still.png")]
    assert main(["build", *sources, "--output", str(tmp_path / "o"), *features, "--keep", "frames"]) == 0
    from pyarrow import parquet

    rows = parquet.read_table(tmp_path / "o" / "ledger.parquet").to_pylist()
    reasons = {Path(row["input"]).name: row["reason"] for row in rows}
    assert reasons == {"scroll.png": "too_large", "line.png": "too_large", "still.png": None}


@pytest.mark.parametrize("name", ["text", "outcomes", "jpeg", "placement", "flac", "json", "frame_000"])
def test_a_column_cannot_have_a_products_name(
    name: str, media: Path, clip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["build", str(media), "--output", str(tmp_path / "o"), "--whisper", "none"]
    assert main([*command, "--encode", f"{name}=clip:{clip}"]) == 2
    assert name in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def timelines(info: MediaInfo, frame_at: FrameAt = FrameAt.CENTER) -> list[int]:
    row = InputRow(input="r", id="r", media="/v")
    parts = plan_row(row, {"/v": Probed("a" * 64, info)}, Cutting(2 * SECOND_NS), frame_at)
    return [part.media[Modality.VIDEO].timeline for part in parts]


def test_a_timelines_version_rises_for_what_a_mend_touches_and_for_nothing_else() -> None:
    def info(seconds: float, mended: bool = False) -> MediaInfo:
        end = round(seconds * SECOND_NS)
        return MediaInfo("mov", end, VideoStream("h264", 4, 4, 0, end, 100), mended=mended)

    assert timelines(info(4.5)) == [1, 1, 1]
    assert timelines(info(4.3)) == [1, 1, 1]  # more than half of its last step is covered
    assert timelines(info(4.2)) == [1, 1, 2]  # that step has a frame now
    assert timelines(info(4.2), FrameAt.START) == [1, 1, 1]
    assert timelines(info(4.5, mended=True)) == [2, 2, 2]


def test_the_probe_says_what_was_mended(joined: Path, media: Path, tmp_path: Path) -> None:
    assert probe(str(joined)).mended
    for name in ("talk.mp4", "late.mkv", "transport.ts", "silent.ogv", "voice.opus"):
        assert not probe(str(media / name)).mended
    tracks = tmp_path / "tracks.mkv"
    sounds = ["-f", "lavfi", "-i", "sine=440:d=1", "-f", "lavfi", "-i", "sine=880:d=1"]
    disposition = ["-disposition:a", "0", "-c:a", "flac", "-ac:a:1", "2"]
    ffmpeg(*pictures(1.0), *sounds, "-map", "0", "-map", "1", "-map", "2", *disposition, str(tracks))
    assert probe(str(tracks)).mended  # 0.1.0 took the sound with the most channels


def test_good_sound_is_kept_where_no_picture_decodes_and_that_is_said(
    clip: str, tmp_path: Path, read_samples: Callable
) -> None:
    [member] = [m for m in MEMBERS if m.name == "h264_opus_lost_gop250.mkv"]
    path = make(member, tmp_path)
    command = [
        "build",
        str(path),
        "--output",
        str(tmp_path / "o"),
        "--whisper",
        "random:tiny",
        "--clip",
        clip,
    ]
    assert main(command) == 0
    [members] = read_samples(tmp_path / "o").values()
    record = json.loads(members["json"])
    assert record["remarks"] == ["no_pictures"]
    assert not any(record["visual_mask"])
    assert all(record["audio_mask"])
    assert set(record["features"]) == {"whisper"}


def test_of_several_whisper_columns_the_first_transcribes(clip: str, tmp_path: Path) -> None:
    columns = (f"second=whisper:{WHISPER}", "third=whisper:random:tiny")
    asked = Settings(output=str(tmp_path), whisper=WHISPER, clip=clip, encode=columns, transcribe=True)
    build = prepare(asked, Progress(None))
    assert build.transcription is not None
    assert build.transcription.featurizer == build.featurizers["whisper"]
    assert [product.column for product in build.products.all if product.of_file] == ["whisper"]


def test_the_sound_asked_for_is_part_of_what_features_are_known_by(clip: str, tmp_path: Path) -> None:
    def names(track: str) -> list[str]:
        asked = Settings(output=str(tmp_path), whisper="none", clip=clip, audio_track=track)
        return prepare(asked, Progress(None)).products.names()

    assert names("") != names("2") != names("de")
