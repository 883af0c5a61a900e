"""verify finds what was done to a corpus, names what mends it, and says nothing else."""

import json
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from pipelines.commands.command import main
from pipelines.states.commit import latest
from pipelines.states.derived import write_derived
from pipelines.states.parts import Parts
from schemas.rows import Row
from schemas.shard import ShardWriter, npy_bytes, read_extent
from schemas.state import State, state_name


@pytest.fixture
def copy(corpus: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(corpus, tmp_path / "copy"))


def faults(output: Path, capsys) -> str:
    assert main(["verify", str(output)]) == 1
    return capsys.readouterr().out


def present(output: Path) -> tuple[State, list[Row], list[Row]]:
    state, parts = latest(str(output)), Parts(str(output))
    assert state
    index = [row for part in state.index for row in parts.index(part)]
    return state, index, [row for part in state.ledger for row in parts.ledger(part)]


def forge_tables(output: Path, index: list[Row], ledger: list[Row], **counts) -> None:
    """State, parts and the files for people, as a clever forger would write them."""
    state, parts = latest(str(output)), Parts(str(output))
    told = [part.model_copy(update=counts) for part in parts.with_inputs([], ledger, ())]
    forged = state.model_copy(update={"index": parts.with_samples([], index, {}), "ledger": told})
    (output / state_name(state.state)).write_bytes(forged.to_bytes())
    kept = {part.table for part in (*forged.index, *forged.ledger)} | {part.talks for part in forged.index}
    for path in output.glob("tables/*"):
        if f"tables/{path.name}" not in kept:
            path.unlink()
    write_derived(str(output), forged)


def shard_of(output: Path, name: str) -> tuple[Path, Row]:
    [row] = [row for row in present(output)[1] if row["id"] == name]
    return output / row["shard"], row


def forge(output: Path, name: str, change: Callable[[dict[str, bytes], Row], None]) -> None:
    """Rewrites one sample, and everything that describes it."""
    path, row = shard_of(output, name)
    _, index, ledger = present(output)
    data = path.read_bytes()
    mine = sorted((r for r in index if r["shard"] == row["shard"]), key=lambda r: r["offset"])
    buffer = BytesIO()
    writer = ShardWriter(buffer)
    for other in mine:
        members = read_extent(data[other["offset"] : other["offset"] + other["size"]])
        if other["key"] == row["key"]:
            change(members, other)
        extent = writer.add(other["key"], members.items())
        other |= {"offset": extent.offset, "size": extent.size, "sha256": extent.sha256}
    writer.finish()
    path.write_bytes(buffer.getvalue())
    forge_tables(output, index, ledger)


def test_an_honest_corpus_has_no_fault(corpus, capsys) -> None:
    assert main(["verify", str(corpus)]) == 0
    assert "no fault" in capsys.readouterr().out


def test_a_flipped_byte(copy, capsys) -> None:
    path, row = shard_of(copy, "talk.mp4")
    data = bytearray(path.read_bytes())
    data[row["offset"] + row["size"] // 2] ^= 1
    path.write_bytes(data)
    assert f"{row['key']}: {row['size']} bytes differ" in faults(copy, capsys)


def test_a_flipped_byte_of_an_annotation(copy, capsys) -> None:
    [_, row] = shard_of(copy, "talk.mp4")
    path = copy / row["columns"][0]["shard"]
    path.write_bytes(path.read_bytes().replace(b"metadata", b"metadada", 1))
    assert "bytes differ from the index's digest" in faults(copy, capsys)


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
    assert f"shards/{path.name}: missing: mend: favor-data build" in found
    assert "999999.tar: no state names this file" in found


def test_a_missing_and_a_doubled_key(copy, capsys) -> None:
    _, index, ledger = present(copy)
    lost = index.pop()
    forge_tables(copy, [*index, index[0]], ledger)
    found = faults(copy, capsys)
    assert f"key {lost['key']} is not in the index" in found
    assert f"key {index[0]['key']} is there 2 times" in found


def test_a_wrong_mask(copy, capsys) -> None:
    def flip(members: dict[str, bytes], row: Row) -> None:
        record = json.loads(members["json"])
        record["audio_mask"][0] = 1
        row["audio_steps"] = sum(record["audio_mask"])
        members["json"] = json.dumps(record).encode()

    forge(copy, "late.mkv", flip)
    assert "whisper and its mask disagree at step 0" in faults(copy, capsys)


def test_a_feature_of_another_encoder(copy, capsys) -> None:
    def swap(members: dict[str, bytes], row: Row) -> None:
        for feature in row["features"]:
            feature["fingerprint"] = "0" * 64

    forge(copy, "talk.mp4", swap)
    assert "clip is of another encoder" in faults(copy, capsys)


def test_a_json_that_is_no_samples(copy, capsys) -> None:
    def empty(members: dict[str, bytes], row: Row) -> None:
        members["json"] = b"{}"

    forge(copy, "talk.mp4", empty)
    assert "its json is not a sample's" in faults(copy, capsys)


def test_a_feature_that_a_cache_knows_otherwise(media, features, tmp_path, capsys) -> None:
    output, cache = tmp_path / "o", tmp_path / "cache"
    build = ["build", str(media / "silent.ogv"), "--output", str(output), "--cache", str(cache)]
    assert main([*build, *features]) == 0
    [entry] = cache.glob("*/*.npy")
    entry.write_bytes(npy_bytes(np.load(entry) + np.float16(1)))
    assert main(["verify", str(output), "--cache", str(cache)]) == 1
    assert "clip.npy differs from the cache's" in capsys.readouterr().out


def test_a_ledger_that_does_not_sum(copy, capsys) -> None:
    _, index, ledger = present(copy)
    forge_tables(copy, index, ledger[1:])
    assert "has no input in the ledger" in faults(copy, capsys)
    forge_tables(copy, index, ledger, statuses={"done": 7})
    assert "says 7 inputs, its tables hold 6" in faults(copy, capsys)


def test_a_file_for_people_that_is_damaged_or_of_another_state(copy, capsys) -> None:
    good = (copy / "index.parquet").read_bytes()
    (copy / "index.parquet").write_bytes(b"PAR1")
    assert "index.parquet: missing or damaged: mend:" in faults(copy, capsys)
    state = latest(str(copy))
    write_derived(str(copy), state.model_copy(update={"state": 7}))
    (copy / "index.parquet").write_bytes(good)
    found = faults(copy, capsys)
    assert "ledger.parquet: describes state 7, the present one is 1: mend:" in found
    assert "index.parquet" not in found


def test_no_corpus_is_exit_2(tmp_path, capsys) -> None:
    assert main(["verify", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
