import pickle
import tarfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.testing.util import assert_that

from pipelines.members import Members
from pipelines.metrics.counters import BYTES, SAMPLES, SHARDS, counted
from pipelines.records import Fresh, PlannedSample, RowSays
from pipelines.steps.assemble import Ready
from pipelines.steps.shards import PUT, STAY, WriteShards
from schemas.rows import Row
from schemas.state import ANNOTATIONS

from .conftest import fresh, in_process


def names(shard: Path) -> list[str]:
    with tarfile.open(shard) as tar:
        return tar.getnames()


def write(
    output: Path, members: Members, ready: list[Ready], standing: list[Row], leaving: list[Row], first: int
) -> tuple[list[Row], list[Row], Counter[str]]:
    """Rows put and rows that stay, by key, and the job's counters."""
    pipeline = in_process()
    made = {
        "ready": pipeline | "Ready" >> beam.Create(ready).with_output_types(Ready),
        "standing": pipeline | "Standing" >> beam.Create(standing).with_output_types(Row),
        "leaving": pipeline | "Leaving" >> beam.Create(leaving).with_output_types(Row),
    } | WriteShards(str(output), 9000, members, first)

    def keep(name: str) -> Callable[[list[Any]], None]:
        def write_down(found: list[Any]) -> None:
            output.with_name(name).write_bytes(pickle.dumps(found))

        return write_down

    for name in (PUT, STAY):
        assert_that(made[name], keep(name), label=name)
    result = pipeline.run()
    result.wait_until_finish()
    put, stay = (pickle.loads(output.with_name(name).read_bytes()) for name in (PUT, STAY))
    rows = sorted((row for row, _ in put), key=lambda row: str(row["key"]))
    return rows, sorted(stay, key=lambda row: str(row["key"])), counted(result)


def test_samples_are_packed_by_size_and_those_beside_a_leaver_move(
    tmp_path: Path, planned: Callable[..., PlannedSample], stored: Any, members: Members
) -> None:
    samples = [planned(name, start) for start, name in enumerate("abc")]
    for sample in samples:
        stored(sample)
    output = tmp_path / "out"
    ready = [Ready(fresh(sample), "clip.npy", 4000) for sample in samples]
    rows, stay, counts = write(output, members, ready, [], [], 0)
    assert not stay
    assert [(row["key"], row["shard"]) for row in rows] == [
        ("a", "shards/000000.tar"),
        ("b", "shards/000000.tar"),
        ("c", "shards/000001.tar"),
    ]
    size = sum(extent["size"] for row in rows for extent in (row, *row["columns"]))
    assert counts == {SAMPLES: 3, SHARDS: 4, BYTES: size}
    assert names(output / "shards/000000.tar") == ["a.json", "a.clip.npy", "b.json", "b.clip.npy"]
    assert names(output / "columns/annotations/000000.tar") == ["a.annotations.json", "b.annotations.json"]

    moved, stay, counts = write(output, members, [], rows[1:], rows[:1], 2)  # a has left
    assert [(row["key"], row["shard"]) for row in stay] == [("c", "shards/000001.tar")]
    assert [(row["key"], row["shard"], row["offset"]) for row in moved] == [("b", "shards/000002.tar", 0)]
    assert moved[0]["sha256"] == rows[1]["sha256"]
    assert counts[SHARDS] == 2
    assert names(output / "shards/000002.tar") == ["b.json", "b.clip.npy"]
    assert names(output / "columns/annotations/000002.tar") == ["b.annotations.json"]


def test_another_answer_writes_its_layer_alone_under_a_new_name(
    tmp_path: Path, planned: Callable[..., PlannedSample], stored: Any, members: Members
) -> None:
    samples = [planned(name, start) for start, name in enumerate("ab")]
    for sample in samples:
        stored(sample)
    output = tmp_path / "out"
    ready = [Ready(fresh(sample), "clip.npy", 4000) for sample in samples]
    rows, _, _ = write(output, members, ready, [], [], 0)
    shards = {path: path.read_bytes() for path in output.rglob("*.tar")}
    answer = RowSays("/a.mp4", "a.mp4", (({"from": "gpt", "value": "yes"},),), {})
    corrected = Fresh(replace(samples[0], rows=(answer,)), frozenset({ANNOTATIONS}), rows[0])
    put, stay, counts = write(output, members, [Ready(corrected, "clip.npy", 4000)], rows[1:], [], 1)
    assert not stay  # b's annotations lie in the same shard
    assert counts[SHARDS] == 1
    assert [(row["shard"], row["offset"]) for row in put] == [(row["shard"], row["offset"]) for row in rows]
    assert [row["conversations"] for row in put] == [1, 0]
    [[named], [also]] = ([layer["shard"] for layer in row["columns"]] for row in put)
    assert named == also
    assert named.startswith("columns/annotations/000000.")
    assert {path: path.read_bytes() for path in shards} == shards
    assert b"yes" in (output / named).read_bytes()
