from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow.parquet as pq
from apache_beam.testing.util import assert_that, equal_to

from decoders.limits import Limits
from pipelines.build import Build, Facts
from pipelines.metrics.counters import counted
from pipelines.metrics.progress import Progress
from pipelines.products import Products
from pipelines.records import InputOutcome, Rejection, SampleOutcome
from pipelines.states.commit import latest
from pipelines.steps.finish import ACCOUNTS, REJECTIONS, Finish, LedgerRows
from pipelines.storage.cache import Cache
from schemas.cuts import Cutting
from schemas.manifest import InputRow
from schemas.reasons import Reason, Stage
from schemas.state import State

from .conftest import LAYERS, in_process

NOISE = Rejection(Stage.PROBE, Reason.NOT_MEDIA, "noise")
SLOW = Rejection(Stage.DECODE, Reason.TIMED_OUT, "slow")


def test_every_input_has_one_row_and_the_rejected_are_an_output_of_their_own(ledger_row: Any) -> None:
    rows = [InputRow(input=name, id=name, media=name, signature="s") for name in ("good", "half", "bad")]
    outcomes = [
        ("good", InputOutcome(samples=(SampleOutcome("k1", 0, 5),))),
        ("half", InputOutcome(samples=(SampleOutcome("k2", 5, 9, remarks=("gap", "gap")),))),
        ("half", InputOutcome(samples=(SampleOutcome("k3", 0, 5, SLOW),))),
        ("bad", InputOutcome(rejection=NOISE)),
    ]

    def outcome(key: str | None, start: int, end: int, **why: str) -> dict[str, Any]:
        nothing: dict[str, Any] = dict.fromkeys(("stage", "reason", "detail"))
        return {"start_ns": start, "end_ns": end, "key": key, **nothing, **why}

    good = ledger_row("good", "k1") | {"outcomes": [outcome("k1", 0, 5)]}
    half = ledger_row("half", "k2") | {"detail": "1 of 2 spans gave no sample: timed_out"}
    lost = outcome(None, 0, 5, stage="decode", reason="timed_out", detail="slow")
    half |= {"outcomes": [lost, outcome("k2", 5, 9)], "remarks": [{"remark": "gap", "count": 2}]}
    bad = ledger_row("bad") | {
        "status": "rejected",
        "stage": "probe",
        "reason": "not_media",
        "detail": "noise",
    }

    pipeline = in_process()
    ledger = {
        "rows": pipeline | "Rows" >> beam.Create(rows),
        "outcomes": pipeline | "Outcomes" >> beam.Create(outcomes),
        "ledger": pipeline | "Before" >> beam.Create([("half", ledger_row("half") | {"signature": "old"})]),
    } | LedgerRows()
    wanted = [(good, None), (half, "old"), (bad, None)]
    assert_that(ledger[ACCOUNTS], equal_to(wanted), label="accounts")
    assert_that(ledger[REJECTIONS], equal_to([bad]), label="rejections")
    result = pipeline.run()
    result.wait_until_finish()
    assert counted(result) == {"inputs_done": 2, "inputs_rejected_not_media": 1}


def test_a_commit_holds_the_rows_in_order_and_their_sums_and_twice_is_once(
    tmp_path: Path, planned: Any, products: Products, index_row: Any, ledger_row: Any
) -> None:
    places = {"c": ("shards/000001.tar", 0), "b": ("shards/000000.tar", 512), "a": ("shards/000000.tar", 0)}
    put = [(index_row(planned(key), *place), None) for key, place in places.items()]
    no = {"status": "rejected", "stage": "probe", "reason": "not_media"}
    accounts = [
        (ledger_row("m.jsonl:12", "a", "b", "c"), None),
        (ledger_row("m.jsonl:2") | no, None),
        (ledger_row("m.jsonl:3") | no, None),
    ]
    output = str(tmp_path / "out")
    (tmp_path / "out/shards").mkdir(parents=True)
    for shard, _ in places.values():
        (tmp_path / "out" / shard).touch()
    build = Build(
        output=output,
        cache=Cache(f"{output}/cache"),
        featurizers={},
        products=products,
        cutting=Cutting(1),
        decoder="pyav",
        shard_bytes=1,
        limits=Limits(),
        progress=Progress(None),
        facts=Facts({"fit": "crop"}, {}, LAYERS),
    )

    def states(found: list[State]) -> None:
        assert found == [latest(output)]
        [state] = found
        assert state.state == 1
        counts = state.counts
        assert (counts["inputs"], counts["done"], counts["rejected"]) == (3, 1, 2)
        assert counts["rejected_by_reason"] == {"not_media": 2}
        assert (counts["samples"], state.next_shard) == (3, 2)

    for _ in range(2):
        with in_process() as pipeline:
            finished = {
                "put": pipeline | "Put" >> beam.Create(put),
                "leaving": pipeline | "Leaving" >> beam.Create([]),
                "accounts": pipeline | "Accounts" >> beam.Create(accounts),
            } | Finish(build)
            assert_that(finished, states)
    assert pq.read_table(f"{output}/index.parquet")["key"].to_pylist() == ["a", "b", "c"]
    names = pq.read_table(f"{output}/ledger.parquet")["input"].to_pylist()
    assert names == ["m.jsonl:2", "m.jsonl:3", "m.jsonl:12"]
