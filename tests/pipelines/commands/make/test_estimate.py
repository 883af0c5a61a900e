import json
from pathlib import Path

import pytest

from pipelines.commands.command import main
from pipelines.commands.make.estimate import Pilot, estimate, hours_of
from schemas.manifest import InputRow
from schemas.state import IndexPart, LedgerPart, State

PILOT = Pilot(
    media_s=3600.0,
    build_s=1800.0,
    stages_s={"wait for decoder": 100.0, "encode whisper": 900.0, "encode clip": 600.0},
    inputs=60,
    samples=120,
    shard_bytes=2_000_000_000,
    index_bytes=60_000,
    shard_limit=512_000_000,
)


def test_everything_grows_with_the_hours() -> None:
    needed = estimate(PILOT, 1000.0)
    assert needed.machine_hours == pytest.approx(500.0)  # twice as fast as real time
    assert needed.stage_hours["encode whisper"] == pytest.approx(250.0)
    assert needed.samples == 120_000
    assert needed.shard_bytes == pytest.approx(2e12)
    assert needed.shards == 3907  # 2e12 / 512e6, rounded up
    assert needed.shuffled_bytes == 1_200_000_000
    assert needed.corpora == 1


def test_a_million_hours_do_not_fit_one_index() -> None:
    needed = estimate(PILOT, 1e6)
    assert needed.samples == 120_000_000
    assert needed.corpora == 38  # 120e6 rows of 5 kB in workers of 16 GB


def test_whole_files_count_as_the_pilots_mean() -> None:
    rows = [InputRow("a", "a", "a.mp4"), InputRow("b", "b", "b.mp4", start_ns=0, end_ns=90_000_000_000)]
    hours, how = hours_of(rows, PILOT)
    assert hours == pytest.approx((60 + 90) / 3600)
    assert how.startswith("1 spans of 0.0 h, 1 whole files at the pilot's 60.0 s")


@pytest.mark.parametrize(
    ("stages", "named"),
    [
        (PILOT.stages_s, "the encoders"),
        ({"wait for decoder": 1500.0, "encode clip": 100.0}, "decoding"),
        ({"wait for decoder": 10.0, "encode clip": 20.0}, "the start of the job"),
        ({}, "unknown"),
    ],
)
def test_the_bottleneck_is_what_the_others_wait_for(stages: dict[str, float], named: str) -> None:
    pilot = Pilot(**{**vars(PILOT), "stages_s": stages})
    assert pilot.bottleneck.startswith(named)


def test_no_corpus_is_a_users_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", str(tmp_path), "--hours", "10"]) == 2
    assert "build a small one first" in capsys.readouterr().err


def test_the_arithmetic_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index = IndexPart(table="t", talks="c", first="shards/000000.tar", last="shards/000003.tar", samples=120,
                      steps=7200, media_ns=3600 * 10**9, shards=4, bytes=2_000_000_000,
                      conversations=0)  # fmt: skip
    ledger = LedgerPart(table="l", first="a", last="b", inputs=61, statuses={"done": 60, "rejected": 1})
    options = {"shard_bytes": 512_000_000}
    state = State(
        state=1, options=options, columns={}, layers={}, next_shard=4, index=[index], ledger=[ledger]
    )
    seconds = {"build": 1800.0, "encode clip": 600.0, "wait for decoder": 1000.0}
    for name, content in (
        ("states/000001.json", state.to_bytes()),
        ("builds/000001-00.json", json.dumps({"seconds": seconds}).encode()),
        ("index.parquet", bytes(60_000)),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    command = ["plan", str(tmp_path), "--hours", "1000", "--machines", "10", "--machine-price", "0.8"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "1,000.0 h / 2.00 = 500.0 h; on 10: 2.1 days" in said
    assert "2.000 GB an hour x 1,000.0 h = 2,000.0 GB: 3,907 files" in said
    assert "120,000 samples x at most 10 kB = 1.2 GB" in said
    assert "500.0 machine-hours x 0.8 = 400" in said
    assert "slowest           decoding" in said
    assert main(["plan", *command[1:]]) == 0  # its name until 0.1
    told = capsys.readouterr()
    assert told.out == said
    assert "plan is called estimate now" in told.err
