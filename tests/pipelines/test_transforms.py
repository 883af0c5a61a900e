"""BuildCorpus and WriteShards in somebody else's pipeline."""

import json
import tarfile
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow.parquet as pq
import pytest
import webdataset as wds
from apache_beam.testing.util import assert_that
from apache_beam.transforms.window import FixedWindows, TimestampedValue

from pipelines.commands.command import main
from pipelines.errors import UsageError
from pipelines.transforms import BuildCorpus, WriteShards

from .conftest import manifest
from .steps.conftest import in_process

TALK = [{"from": "human", "value": "What is said?"}, {"from": "gpt", "value": "Something."}]


@pytest.fixture(scope="module")
def rows(media: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Two rows that share a sample, a relative path, a rejected one."""
    folder = tmp_path_factory.mktemp("rows")
    (folder / "noise.mp4").write_bytes(b"noise" * 999)
    (folder / "talk.mp4").symlink_to(media / "talk.mp4")
    return [
        {"id": "talk", "media": "talk.mp4", "split": "train"},
        {"id": "still", "image": str(media / "still.png"), "conversations": [TALK], "n": 1},
        {"id": "still too", "image": str(media / "still.png"), "n": 2},
        {"id": "part", "video": str(folder / "talk.mp4"), "start": 1, "end": 2.5},
        {"id": "noise", "media": "noise.mp4"},
    ]


def options_of(clip: str) -> dict[str, Any]:
    return {"whisper": "none", "clip": clip, "clip_tokens": "cls", "dtype": "float32", "keep": "frames"}


def test_a_pcollection_of_rows_gives_the_commands_bytes_in_any_order(
    rows, media, clip, features, tmp_path
) -> None:
    folder = Path(rows[3]["video"]).parent
    table = manifest(folder / "rows.jsonl", *rows)
    command, output = tmp_path / "command", tmp_path / "transform"
    assert main(["build", str(table), "--output", str(command), *features, "--keep", "frames"]) == 0

    def samples(found: list[dict[str, Any]]) -> None:
        assert {row["id"] for row in found} == {"talk", "still", "part"}

    def rejections(found: list[dict[str, Any]]) -> None:
        [row] = found
        assert (row["id"], row["reason"], row["input"][:4]) == ("noise", "not_media", "row:")

    def corpora(found: list[Any]) -> None:
        [corpus] = found
        assert [corpus.counts[name] for name in ("inputs", "done", "samples")] == [5, 4, 3]

    with in_process() as pipeline:
        given = (
            pipeline
            | beam.Create(rows[::-1])
            | beam.Map(lambda row: TimestampedValue(row, len(row["id"])))
            | beam.WindowInto(FixedWindows(2))  # somebody's windows do not part rows that share a sample
        )
        made = given | BuildCorpus(output, media_root=folder, **options_of(clip))
        assert_that(made.samples, samples, label="samples")
        assert_that(made.rejections, rejections, label="rejections")
        assert_that(made.corpus, corpora, label="corpus")
    for name in ("index.parquet", *(f"shards/{path.name}" for path in command.glob("shards/*"))):
        assert (output / name).read_bytes() == (command / name).read_bytes(), name
    assert main(["verify", str(output)]) == 0

    with in_process() as pipeline:  # once more: nothing changes
        _ = pipeline | beam.Create(rows) | BuildCorpus(output, media_root=folder, **options_of(clip))
    assert (output / "index.parquet").read_bytes() == (command / "index.parquet").read_bytes()


def test_it_never_mixes_encoders(rows, clip, tmp_path) -> None:
    folder = Path(rows[3]["video"]).parent
    for tokens, row in (("cls", rows[1]), ("patch", rows[0])):
        transform = BuildCorpus(tmp_path, media_root=folder, **options_of(clip) | {"clip_tokens": tokens})
        pipeline = in_process()
        _ = pipeline | beam.Create([row]) | transform
        if tokens == "cls":
            pipeline.run().wait_until_finish()
        else:
            with pytest.raises(Exception, match="made with other columns"):
                pipeline.run().wait_until_finish()
    assert pq.read_table(tmp_path / "ledger.parquet")["id"].to_pylist() == ["still"]


def test_what_it_cannot_take_is_refused(clip, tmp_path) -> None:
    with pytest.raises(UsageError, match="clip_seconds"):
        BuildCorpus(tmp_path, **options_of(clip), clip_seconds=0.3)
    with pytest.raises(UsageError, match="clip_secs"):
        BuildCorpus(tmp_path, **options_of(clip), clip_secs=3)
    pipeline = in_process()
    _ = pipeline | beam.Create([{"id": "x"}]) | BuildCorpus(tmp_path, **options_of(clip))
    with pytest.raises(Exception, match="names no media"):
        pipeline.run().wait_until_finish()
    rows = in_process() | beam.Create([{"id": "x"}])
    rows.is_bounded = False
    with pytest.raises(ValueError, match="bounded"):
        _ = rows | BuildCorpus(tmp_path, **options_of(clip))
    assert repr(BuildCorpus(tmp_path, **options_of(clip))) == f"<BuildCorpus {tmp_path}: columns clip>"


def test_anybodys_samples_become_shards_in_any_order(tmp_path) -> None:
    samples = [
        (f"k{n:02d}", {"json": json.dumps({"n": n}).encode(), "bin": bytes(700 * n)}) for n in range(9)
    ]
    samples.append(("other", {"json": b"{}"}))

    def rows(found: list[dict[str, Any]]) -> None:
        assert len(found) == 10
        for row in found:
            shard = (tmp_path / "a" / row["shard"]).read_bytes()
            assert shard[row["offset"] :].startswith(row["key"].encode())

    for name, order in (("a", samples), ("b", samples[::-1])):
        with in_process() as pipeline:
            written = pipeline | beam.Create(order) | WriteShards(tmp_path / name, shard_size="20kB")
            if name == "a":
                assert_that(written, rows)
    shards = sorted((tmp_path / "a" / "shards").glob("*.tar"))
    assert len(shards) == 4
    assert all(path.read_bytes() == (tmp_path / "b" / "shards" / path.name).read_bytes() for path in shards)
    read = {
        sample["__key__"]: sample
        for path in shards
        for sample in wds.WebDataset(str(path), shardshuffle=False)
    }
    assert json.loads(read["k03"]["json"]) == {"n": 3}
    assert len(read["k08"]["bin"]) == 5600
    with tarfile.open(shards[-1]) as tar:
        assert tar.getnames() == ["other.json"]


def test_shards_refuse_a_key_given_twice_and_a_size_that_is_none(tmp_path) -> None:
    pipeline = in_process()
    _ = pipeline | beam.Create([("k", {"json": b"1"}), ("k", {"json": b"2"})]) | WriteShards(tmp_path)
    with pytest.raises(Exception, match="'k' is given 2 times"):
        pipeline.run().wait_until_finish()
    assert not list(tmp_path.glob("shards/*"))
    with pytest.raises(UsageError, match="shard_size"):
        WriteShards(tmp_path, shard_size="big")
    assert "512000000 bytes" in repr(WriteShards(tmp_path))
