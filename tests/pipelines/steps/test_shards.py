import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.testing.util import assert_that

from pipelines.members import Members
from pipelines.metrics.counters import BYTES, SAMPLES, SHARDS, counted
from pipelines.products import Products
from pipelines.records import PlannedSample, Row
from pipelines.steps.assemble import Ready
from pipelines.steps.shards import WriteShards
from pipelines.storage.cache import Cache
from schemas.tables import INDEX, table_bytes

from .conftest import in_process


def test_samples_are_packed_by_size_and_those_beside_a_leaver_move(
    tmp_path: Path, planned: Callable[..., PlannedSample], stored: Any, cache: Cache, products: Products
) -> None:
    samples = [planned(name, start) for start, name in enumerate("abc")]
    for sample in samples:
        stored(sample)
    output, members = tmp_path / "out", Members(products, cache, {"clip": "f" * 64})
    first = _write(output, members, [Ready(sample, "clip.npy", 4000) for sample in samples], [], [])
    rows = [row for row, _ in first]
    assert [(row["key"], row["shard"]) for row in rows] == [
        ("a", "shards/000000.tar"),
        ("b", "shards/000000.tar"),
        ("c", "shards/000001.tar"),
    ]
    counts = {SAMPLES: 3, SHARDS: 2, BYTES: sum(row["size"] for row in rows)}
    assert first[0][1] == counts
    with tarfile.open(output / "shards" / "000000.tar") as tar:
        assert tar.getnames() == ["a.json", "a.clip.npy", "b.json", "b.clip.npy"]

    (output / "index.parquet").write_bytes(table_bytes(rows, INDEX))
    second = _write(output, members, [], rows[1:], ["shards/000000.tar"])  # a has left
    moved, stays = (row for row, _ in second)
    assert (stays["key"], stays["shard"]) == ("c", "shards/000001.tar")
    assert (moved["key"], moved["shard"], moved["offset"]) == ("b", "shards/000002.tar", 0)
    assert moved["sha256"] == rows[1]["sha256"]
    assert second[0][1] == {SAMPLES: 0, SHARDS: 1, BYTES: rows[1]["size"]}
    with tarfile.open(output / "shards" / "000002.tar") as tar:
        assert tar.getnames() == ["b.json", "b.clip.npy"]


def _write(
    output: Path, members: Members, ready: list[Ready], standing: list[Row], leaving: list[str]
) -> list[tuple[Row, dict[str, int]]]:
    """Index rows by key, each with the job's counters."""
    kept = output.with_name("rows.json")
    pipeline = in_process()
    rows = {
        "ready": pipeline | "Ready" >> beam.Create(ready),
        "standing": pipeline | "Standing" >> beam.Create(standing),
        "leaving": pipeline | "Leaving" >> beam.Create(leaving),
    } | WriteShards(str(output), 9000, members)

    def keep(found: list[Row]) -> None:
        kept.write_text(json.dumps(sorted(found, key=lambda row: row["key"])))

    assert_that(rows, keep)
    result = pipeline.run()
    result.wait_until_finish()
    return [(row, counted(result)) for row in json.loads(kept.read_text())]
