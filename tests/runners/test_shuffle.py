"""Bytes through shuffles, as Beam's own counters have them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow.parquet as pq
import pytest
from apache_beam.metrics import monitoring_infos

from pipelines.build import prepare
from pipelines.build_corpus import build_corpus
from pipelines.commands import options
from pipelines.jobs.launch import look
from pipelines.metrics.progress import Progress
from pipelines.steps import inputs
from runners.clips import make_clips
from runners.graph import shuffles


@pytest.fixture
def folder() -> Iterator[Path]:
    """Its name is short wherever the tests run: names of files go through shuffles too."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        yield Path(name)


def test_a_sample_takes_less_than_ten_kilobytes_through_all_shuffles(folder: Path) -> None:
    make_clips(folder / "media", 4)
    models = ["--whisper", "random:tiny", "--clip", "none"]
    asked, beams = options.parse([str(folder / "media"), "--output", str(folder / "out"), *models])
    job = look(asked, prepare(asked, Progress(None)))
    root = beam.Pipeline(options=beams)
    build_corpus(root | "Read sources" >> inputs.ReadInputs(job.path), job.build)
    proto = root.to_runner_api()
    with inputs.staged(job.rows, job.path):
        result = root.run()
        result.wait_until_finish()

    index = pq.read_table(folder / "out" / "index.parquet")
    members = sum(index["size"].to_pylist())
    sizes = written(result)
    shuffled = [sizes[name] for step in shuffles(proto) for name in step.inputs]
    assert len(index) == 4
    assert members / 4 > 50_000, "samples too small for this test to mean anything"
    assert sum(shuffled) / 4 < 10_000
    assert sum(size > 0 for size in shuffled) > 10, "shuffles that were not counted"


def written(result: Any) -> dict[str, int]:
    """PCollection -> bytes of its elements; exact as long as there are few."""
    return {
        info.labels["PCOLLECTION"]: monitoring_infos.extract_distribution(info)[1]
        for info in result.monitoring_infos()
        if info.urn == monitoring_infos.SAMPLED_BYTE_SIZE_URN
    }
