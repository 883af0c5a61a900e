"""Signals of a corpus: measured while it is decoded anyway, in the index, beside the features."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from loaders.corpus import open_corpus
from pipelines.commands.command import main
from schemas.shard import npy_array
from signals.registry import registered

Samples = dict[str, dict[str, bytes]]
SERIES = {one.name for one in registered() if one.series}


@pytest.fixture(scope="module")
def measured(media: Path, features: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("signals") / "out"
    assert main(["build", str(media), "--output", str(output), *features, "--signals"]) == 0
    return output


def rows(output: Path) -> dict[str, dict[str, object]]:
    return {row["id"]: row for row in pq.read_table(output / "index.parquet").to_pylist()}


def test_the_index_has_a_column_a_signal_null_where_it_does_not_apply(measured: Path) -> None:
    found = {Path(name).stem: row for name, row in rows(measured).items()}
    assert {one.name for one in registered() if one.of_sound or one.of_pictures} <= set(found["talk"])
    assert found["talk"]["speech_share"] > 0.5
    assert -40 < found["talk"]["loudness_lufs"] < -5
    assert found["voice"]["brightness"] is None
    assert found["silent"]["rms_dbfs"] is None
    assert found["still"]["motion"] is None
    assert found["still"]["brightness"] is not None
    assert isinstance(found["talk"]["cuts"], list)
    assert len(found["talk"]["phash"]) in (0, 128)


def test_series_stand_beside_the_features_step_by_step(
    measured: Path, read_samples: Callable[[Path], Samples]
) -> None:
    for name, members in read_samples(measured).items():
        said = json.loads(members["signals.json"])
        table = npy_array(members["signals.npy"])
        record = json.loads(members["json"])
        names = [series for stream in sorted(said) for series in said[stream]["series"]]
        assert table.shape == (record["steps"], len(names)), name
        assert table.dtype == np.float32
        for at, series in enumerate(names):
            mask = record["audio_mask" if series in ("rms_dbfs", "speech_share") else "visual_mask"]
            known = ~np.isnan(table[:, at])
            assert (known <= np.array(mask, bool)).all(), (name, series)


def test_the_corpus_verifies_and_loads(measured: Path) -> None:
    assert main(["verify", str(measured)]) == 0
    assert len(open_corpus(measured)) == 6


def test_adding_signals_encodes_nothing_and_adding_an_encoder_measures_nothing(
    media: Path,
    features: list[str],
    clip: str,
    measured: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "out"
    build = ["build", str(media), "--output", str(output), *features]
    assert main(build) == 0
    base = {path.name: path.read_bytes() for path in output.glob("shards/*.tar")}
    capsys.readouterr()
    assert main([*build, "--signals"]) == 0
    time = next(line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("time"))
    assert "signals" in time
    assert "encode" not in time
    assert {path.name: path.read_bytes() for path in output.glob("shards/*.tar")} == base
    assert list(output.glob("columns/signals/*.tar"))
    same = {
        name: {k: v for k, v in row.items() if k in {one.name for one in registered()}}
        for name, row in rows(output).items()
    }
    other = {
        name: {k: v for k, v in row.items() if k in {one.name for one in registered()}}
        for name, row in rows(measured).items()
    }
    assert same == other
    assert main(["verify", str(output)]) == 0

    held = {path.name: path.read_bytes() for path in output.glob("columns/signals/*.tar")}
    assert main([*build, "--signals", "--encode", f"more=clip:{clip}"]) == 0
    time = next(line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("time"))
    assert "signals" not in time
    assert {path.name: path.read_bytes() for path in output.glob("columns/signals/*.tar")} == held
    assert main(["verify", str(output)]) == 0


def test_headers_are_always_in_the_index(corpus: Path) -> None:
    found = {Path(str(name)).stem: row for name, row in rows(corpus).items()}
    names = ("width", "height", "fps", "video_codec", "audio_codec")
    assert [found["talk"][name] for name in names] == [160, 120, 25.0, "h264", "aac"]
    assert [found["voice"][name] for name in names] == [None, None, None, None, "opus"]
    assert [found["still"][name] for name in names] == [160, 120, None, None, None]
    assert [found["silent"][name] for name in names] == [160, 120, 15.0, "theora", None]
    assert found["late"]["start_offset_ms"] == pytest.approx(800, abs=25)
    assert found["talk"]["start_offset_ms"] == pytest.approx(0, abs=50)
    assert found["silent"]["start_offset_ms"] is None
    assert "speech_share" not in found["talk"]


def test_the_bit_rate_is_that_of_the_file(corpus: Path, media: Path) -> None:
    row = {Path(str(name)).stem: row for name, row in rows(corpus).items()}["voice"]
    seconds = (row["end_ns"] - row["start_ns"]) / 1e9
    assert row["bit_rate"] == pytest.approx(8 * (media / "voice.opus").stat().st_size / seconds, rel=0.01)
