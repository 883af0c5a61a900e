"""`--cut` through the command: samples end where scenes do, found once a file."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import apache_beam as beam
import imageio_ffmpeg
import pyarrow.parquet as pq
import pytest
from apache_beam.testing.util import assert_that

from pipelines.build import prepare
from pipelines.commands.command import main
from pipelines.metrics.progress import Progress
from pipelines.records import Probed, Rejection
from pipelines.settings import settings
from pipelines.steps.cuts.find import FindCuts
from pipelines.steps.probe import ProbeMedia
from schemas.cuts import Places
from schemas.manifest import InputRow
from tests.pipelines.steps.conftest import in_process

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
SCENES = ("rgbtestsrc=s=160x120:r=25:d=5", "color=black:s=160x120:r=25:d=3", "testsrc=s=160x120:r=25:d=7")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes of 5, 3 and 7 s under a tone."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    inputs = [part for scene in (*SCENES, "sine=300:d=15") for part in ("-f", "lavfi", "-i", scene)]
    chain = ["-filter_complex", "[0][1][2]concat=n=3[out]", "-map", "[out]", "-map", "3"]
    coded = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", str(path)]
    subprocess.run([FFMPEG, "-v", "error", "-nostdin", *inputs, *chain, *coded], check=True)
    return path


def spans(output: Path) -> list[tuple[float, float]]:
    rows = pq.read_table(output / "index.parquet").to_pylist()
    return sorted((row["start_ns"] / 1e9, round(row["end_ns"] / 1e9, 1)) for row in rows)


def test_scenes_are_samples_found_once_and_again_says_so(
    film: Path, features: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    build = ["build", str(film), "--output", str(output), *features, "--cut", "scenes"]
    assert main(build) == 0
    assert spans(output) == [(0, 5), (5, 8), (8, 15)]
    assert main(["verify", str(output)]) == 0
    [entry] = output.glob("cache/*/*.cuts")
    assert "cuts" in capsys.readouterr().out  # as a stage of its own
    before = entry.stat().st_mtime_ns

    assert main([*build, "--clip-seconds", "6", "--shortest-clip", "3"]) == 0  # other bounds, the same places
    assert spans(output) == [(0, 5), (5, 8), (8, 11.5), (11.5, 15)]
    assert entry.stat().st_mtime_ns == before
    assert " cuts" not in capsys.readouterr().out.partition("time")[2].splitlines()[0]

    assert main(["build", "--again", str(output)]) == 0
    assert spans(output) == [(0, 5), (5, 8), (8, 11.5), (11.5, 15)]
    assert main(["prune", str(output)]) == 0
    assert entry.exists()
    assert main(["remove", str(output), str(film)]) == 0
    assert main(["prune", str(output)]) == 0
    assert not entry.exists()


def test_an_annotated_row_is_never_cut_nor_looked_at(film: Path, features: list[str], tmp_path: Path) -> None:
    manifest = tmp_path / "rows.jsonl"
    manifest.write_text(f'{{"id": "a", "media": "{film}", "start": 1, "end": 9}}\n')
    output = tmp_path / "out"
    build = ["build", str(manifest), "--output", str(output), *features, "--cut", "scenes"]
    assert main(build) == 0
    assert spans(output) == [(1, 9)]
    assert not list(output.glob("cache/*/*.cuts"))


def test_bounds_that_cannot_be_held_are_refused(
    film: Path, features: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build = ["build", str(film), "--output", str(tmp_path / "out"), *features, "--cut", "speech"]
    assert main([*build, "--shortest-clip", "16"]) == 2
    assert "--shortest-clip 16" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_step_gives_every_probe_back(film: Path, clip: str, media: Path, tmp_path: Path) -> None:
    build = prepare(
        settings(output=str(tmp_path / "out"), whisper="none", clip=clip, cut="scenes"), Progress(None)
    )
    names = [str(film), str(media / "voice.opus"), str(tmp_path / "gone.mp4")]
    rows = [InputRow(input=name, id=name, media=name) for name in names]

    def found(probes: list[tuple[str, Any]]) -> None:
        by = dict(probes)
        assert set(by) == set(names)
        assert by[names[0]].places == Places((10, 16))
        assert isinstance(by[names[1]], Probed)
        assert by[names[1]].places is None  # no pictures: cut evenly
        assert isinstance(by[names[2]], Rejection)

    with in_process() as pipeline:
        given = pipeline | beam.Create(rows)
        probes = given | ProbeMedia(build.cache, build.limits)
        assert_that({"rows": given, "probes": probes} | FindCuts.step(build), found)
