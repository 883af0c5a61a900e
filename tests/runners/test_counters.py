"""A job's counters against the ledger that it wrote, in process and on Beam's Prism."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.commands import options
from pipelines.jobs.launch import launch
from pipelines.metrics.counters import ISOLATION, isolation
from runners import tools
from runners.clips import make_clips
from runners.engines import ENGINES


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copies, a broken file and an empty one among them."""
    folder = tmp_path_factory.mktemp("media")
    make_clips(folder, 17, seconds=0.8)
    (folder / "empty.mp4").touch()
    return folder


@pytest.fixture(params=["in-process", "prism"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    if (
        request.param == "prism"
        and not (tools.BUILD / "bin" / "prism").exists()
        and "prism" not in os.environ.get("FAVOR_DATA_ENGINES", "")
    ):
        pytest.skip("Prism is not built: FAVOR_DATA_ENGINES=prism builds it, with Go")
    logging.getLogger("apache_beam.utils.subprocess_server").setLevel(logging.ERROR)  # speaks after the end
    try:
        with ENGINES[request.param](tmp_path / "run") as arguments:
            yield arguments
    except tools.Unavailable as error:
        pytest.skip(str(error))


def run(media: Path, output: Path, arguments: list[str]) -> dict[str, int]:
    models = ["--whisper", "random:tiny", "--clip", "none", "--shard-size", "200kB"]
    asked, beams = options.parse([*arguments, str(media), "--output", str(output), *models])
    return launch(asked, beams, warn=print).counters


def test_counters_equal_the_ledger(engine: list[str], media: Path, tmp_path: Path) -> None:
    output = tmp_path / "corpus"
    cached = [*engine, "--cache", str(tmp_path / "cache")]
    found = run(media, output, cached)
    ledger = pq.read_table(output / "ledger.parquet").to_pylist()
    index = pq.read_table(output / "index.parquet").to_pylist()
    reasons = [row["reason"] for row in ledger if row["status"] == "rejected"]
    assert set(reasons) == {"not_media", "empty_file"}
    assert found == {
        "inputs_done": sum(row["status"] == "done" for row in ledger),
        **{f"inputs_rejected_{reason}": reasons.count(reason) for reason in set(reasons)},
        "samples": len(index),
        "shards": len([*output.glob("shards/*.tar"), *output.glob("columns/*/*.tar")]),
        "bytes": sum(held["size"] for row in index for held in (row, *row["columns"])),
        "cache_hits": 0,
        "cache_misses": found["cache_misses"],
        "media_planned_ms": found["media_planned_ms"],
        "media_done_ms": found["media_planned_ms"],
        **{name: processes for name, processes in found.items() if name.startswith(ISOLATION)},
    }
    assert sum(isolation(found).values()) > 0, "decoding processes that were not counted"
    assert found["inputs_done"] == len(index) == 16
    length_ms = sum(row["end_ns"] - row["start_ns"] for row in index) / 1e6
    assert found["media_planned_ms"] == pytest.approx(length_ms, abs=len(index))  # each rounded
    assert found["shards"] > 1
    assert found["cache_misses"] >= len(list(tmp_path.glob("cache/*/*.npy")))
    again = run(media, tmp_path / "again", cached)
    assert (again["cache_hits"], again["cache_misses"]) == (found["cache_misses"], 0)
