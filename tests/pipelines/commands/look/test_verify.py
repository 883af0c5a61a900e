"""verify finds what was done to a corpus, and nothing else."""

import json
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines.commands.command import main
from schemas.shard import ShardWriter, npy_bytes, read_extent
from schemas.tables import INDEX, LEDGER, read_rows, table_bytes


@pytest.fixture
def copy(corpus: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(corpus, tmp_path / "copy"))


def faults(output: Path, capsys) -> str:
    assert main(["verify", str(output)]) == 1
    return capsys.readouterr().out


def shard_of(output: Path, name: str) -> tuple[Path, dict]:
    rows = read_rows((output / "index.parquet").open("rb"), INDEX)
    [row] = [row for row in rows if row["id"] == name]
    return output / row["shard"], row


def forge(output: Path, name: str, change: Callable[[dict[str, bytes]], None]) -> None:
    """Rewrites one sample, and index, snapshot and counts with it, as a clever forger would."""
    path, row = shard_of(output, name)
    data = path.read_bytes()
    rows = read_rows((output / "index.parquet").open("rb"), INDEX)
    mine = sorted((r for r in rows if r["shard"] == row["shard"]), key=lambda r: r["offset"])
    buffer = BytesIO()
    writer = ShardWriter(buffer)
    for other in mine:
        members = read_extent(data[other["offset"] : other["offset"] + other["size"]])
        if other["key"] == row["key"]:
            change(members)
            record = json.loads(members["json"])
            other["audio_steps"] = sum(record["audio_mask"])
        extent = writer.add(other["key"], members.items())
        other |= {"offset": extent.offset, "size": extent.size, "sha256": extent.sha256}
    writer.finish()
    path.write_bytes(buffer.getvalue())
    (output / "index.parquet").write_bytes(table_bytes(rows, INDEX))


def test_an_honest_corpus_has_no_fault(corpus, capsys) -> None:
    assert main(["verify", str(corpus)]) == 0
    assert "no fault" in capsys.readouterr().out


def test_a_flipped_byte(copy, capsys) -> None:
    path, row = shard_of(copy, "talk.mp4")
    data = bytearray(path.read_bytes())
    data[row["offset"] + row["size"] // 2] ^= 1
    path.write_bytes(data)
    assert f"{row['key']}: {row['size']} bytes differ" in faults(copy, capsys)


def test_a_truncated_shard(copy, capsys) -> None:
    path, row = shard_of(copy, "voice.opus")
    path.write_bytes(path.read_bytes()[: row["offset"] + row["size"] // 2])
    assert "differ from the index's digest" in faults(copy, capsys)


def test_a_shard_without_its_last_zeros(copy, capsys) -> None:
    path, _ = shard_of(copy, "voice.opus")
    path.write_bytes(path.read_bytes()[:-512])
    assert "truncated" in faults(copy, capsys)


def test_a_missing_and_an_extra_shard(copy, capsys) -> None:
    path, _ = shard_of(copy, "talk.mp4")
    path.rename(path.with_name("999999.tar"))
    found = faults(copy, capsys)
    assert f"shards/{path.name}: missing" in found
    assert "999999.tar: no snapshot names this file" in found


def test_a_missing_and_a_doubled_key(copy, capsys) -> None:
    rows = read_rows((copy / "index.parquet").open("rb"), INDEX)
    lost = rows.pop()
    rows.append(rows[0])
    (copy / "index.parquet").write_bytes(table_bytes(rows, INDEX))
    found = faults(copy, capsys)
    assert f"key {lost['key']} is not in the index" in found
    assert f"key {rows[0]['key']} is there 2 times" in found


def test_a_wrong_mask(copy, capsys) -> None:
    def flip(members: dict[str, bytes]) -> None:
        record = json.loads(members["json"])
        record["audio_mask"][0] = 1
        members["json"] = json.dumps(record).encode()

    forge(copy, "late.mkv", flip)
    assert "whisper and its mask disagree at step 0" in faults(copy, capsys)


def test_a_feature_of_another_encoder(copy, capsys) -> None:
    def swap(members: dict[str, bytes]) -> None:
        record = json.loads(members["json"])
        record["features"]["clip"]["fingerprint"] = "0" * 64
        members["json"] = json.dumps(record).encode()

    forge(copy, "talk.mp4", swap)
    assert "clip is of another encoder" in faults(copy, capsys)


def test_a_feature_that_the_cache_knows_otherwise(copy, capsys) -> None:
    def noise(members: dict[str, bytes]) -> None:
        array = np.load(BytesIO(members["clip.npy"]))
        members["clip.npy"] = npy_bytes(array + np.float16(1))

    forge(copy, "talk.mp4", noise)
    assert "clip.npy differs from the cache's" in faults(copy, capsys)


def test_a_ledger_that_does_not_sum(copy, capsys) -> None:
    rows = read_rows((copy / "ledger.parquet").open("rb"), LEDGER)
    (copy / "ledger.parquet").write_bytes(table_bytes(rows[1:], LEDGER))
    found = faults(copy, capsys)
    assert "says 6 inputs, index and ledger hold 5" in found
    assert "has no input in the ledger" in found


def test_a_table_that_is_none(copy, capsys) -> None:
    (copy / "index.parquet").write_bytes(b"PAR1")
    assert "index.parquet: cannot be read" in faults(copy, capsys)
    table = pq.read_table(copy / "ledger.parquet").drop_columns(["reason"])
    pq.write_table(table, copy / "ledger.parquet")
    assert "ledger.parquet: cannot be read" in faults(copy, capsys)


def test_no_corpus_is_exit_2(tmp_path, capsys) -> None:
    assert main(["verify", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
