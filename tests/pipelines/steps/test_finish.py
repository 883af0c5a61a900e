from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow.parquet as pq
from apache_beam.testing.util import assert_that, equal_to

from pipelines.build import Facts
from pipelines.metrics.counters import counted
from pipelines.records import InputOutcome, Rejection, Row, SampleOutcome
from pipelines.steps.finish import ACCOUNTS, REJECTIONS, Finish, LedgerRows
from schemas.corpus import Corpus
from schemas.manifest import InputRow
from schemas.reasons import Reason, Stage

from .conftest import in_process

NOISE = Rejection(Stage.PROBE, Reason.NOT_MEDIA, "noise")
SLOW = Rejection(Stage.DECODE, Reason.TIMED_OUT, "slow")


def test_every_input_has_one_row_and_the_rejected_are_an_output_of_their_own() -> None:
    rows = [InputRow(input=name, id=name, media=name, signature="s") for name in ("good", "half", "bad")]
    outcomes = [
        ("good", InputOutcome(samples=(SampleOutcome("k1"),))),
        ("half", InputOutcome(samples=(SampleOutcome("k2"),))),
        ("half", InputOutcome(samples=(SampleOutcome("k3", SLOW),))),
        ("bad", InputOutcome(rejection=NOISE)),
    ]
    base = {"signature": "s", "stage": None, "reason": None, "detail": None}
    bad = {"input": "bad", "id": "bad", "uris": ["bad"], "keys": [], **base}
    bad |= {"status": "rejected", "stage": "probe", "reason": "not_media", "detail": "noise"}
    good: Row = {"input": "good", "id": "good", "uris": ["good"], "keys": ["k1"], **base, "status": "done"}
    half = good | {"input": "half", "id": "half", "uris": ["half"], "keys": ["k2"]}
    half["detail"] = "1 of 2 spans gave no sample: timed_out"

    pipeline = in_process()
    ledger = {
        "rows": pipeline | "Rows" >> beam.Create(rows),
        "outcomes": pipeline | "Outcomes" >> beam.Create(outcomes),
    } | LedgerRows()
    assert_that(ledger[ACCOUNTS], equal_to([good, half, bad]), label="accounts")
    assert_that(ledger[REJECTIONS], equal_to([bad]), label="rejections")
    result = pipeline.run()
    result.wait_until_finish()
    assert counted(result) == {"inputs_done": 2, "inputs_rejected_not_media": 1}


def test_the_tables_hold_the_rows_in_order_and_corpus_json_their_sums(tmp_path: Path) -> None:
    def index_row(key: str, shard: int, offset: int) -> dict[str, Any]:
        strings = dict.fromkeys(("id", "sha256", "content", "members"), "x")
        numbers = dict.fromkeys(("start_ns", "audio_steps", "visual_steps", "conversations"), 0)
        uris = {"video": "/v", "audio": None, "image": None}
        row = {"key": key, "shard": f"shards/{shard:06d}.tar", "offset": offset, "size": 512, "steps": 3}
        return row | strings | numbers | {"end_ns": 10**9, "modalities": [], "uris": uris, "digests": uris}

    def ledger_row(number: int, reason: str | None) -> dict[str, Any]:
        status = "rejected" if reason else "done"
        row = {"input": f"m.jsonl:{number}", "id": "x", "uris": [], "signature": "s", "keys": []}
        return row | {"status": status, "stage": reason and "probe", "reason": reason, "detail": reason}

    index = [index_row("c", 1, 0), index_row("b", 0, 512), index_row("a", 0, 0)]
    ledger = [ledger_row(12, None), ledger_row(2, "not_media"), ledger_row(3, "not_media")]

    def corpora(found: list[Corpus]) -> None:
        [corpus] = found
        assert corpus.model_dump() == Corpus.model_validate_json(_text(tmp_path, "corpus.json")).model_dump()
        assert (corpus.counts.inputs, corpus.counts.done, corpus.counts.rejected) == (3, 1, 2)
        assert corpus.counts.rejected_by_reason == {"not_media": 2}
        assert (corpus.counts.samples, corpus.counts.shards, corpus.counts.bytes) == (3, 2, 1536)
        assert corpus.next_shard == 2

    with in_process() as pipeline:
        finished = {
            "index": pipeline | "Index" >> beam.Create(index),
            "ledger": pipeline | "Ledger" >> beam.Create(ledger),
        } | Finish(str(tmp_path), Facts("2026-01-01T00:00:00+00:00", {"fit": "crop"}, {}, {}))
        assert_that(finished, corpora)
    assert pq.read_table(tmp_path / "index.parquet")["key"].to_pylist() == ["a", "b", "c"]
    names = pq.read_table(tmp_path / "ledger.parquet")["input"].to_pylist()
    assert names == ["m.jsonl:2", "m.jsonl:3", "m.jsonl:12"]
    frozen = tmp_path / "snapshots" / "0001" / "index.parquet"
    assert frozen.read_bytes() == (tmp_path / "index.parquet").read_bytes()


def _text(folder: Path, name: str) -> str:
    return (folder / name).read_text()
