"""The last step: index, ledger and corpus.json, each replaced whole."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam

from pipelines.build import Facts
from pipelines.metrics.counters import INPUTS_DONE, count, rejected
from pipelines.records import AccountOfInput, InputOutcome, Row
from pipelines.steps.shards import after
from schemas.corpus import (
    CORPUS_NAME,
    INDEX_NAME,
    LEDGER_NAME,
    Corpus,
    Counts,
    Snapshot,
    snapshot_index_name,
)
from schemas.manifest import InputRow
from schemas.tables import INDEX, LEDGER, table_bytes
from storage import files

ACCOUNTS = "accounts"
REJECTIONS = "rejections"


@beam.typehints.with_input_types(rows=InputRow, outcomes=AccountOfInput)
class LedgerRows(beam.PTransform):
    """{"rows": InputRow, "outcomes": (input, InputOutcome)} -> ACCOUNTS: one ledger row an input;
    REJECTIONS: those of rejected inputs once more, the job's error output."""

    def expand(self, inputs: Mapping[str, beam.PCollection]) -> beam.pvalue.DoOutputsTuple:
        keyed = beam.Map(lambda row: (row.input, row)).with_output_types(tuple[str, InputRow])
        return (
            {"rows": inputs["rows"] | "Key inputs" >> keyed, "outcomes": inputs["outcomes"]}
            | "Join" >> beam.CoGroupByKey()
            | "Account"
            >> beam.FlatMap(_account)
            .with_output_types(Row, accounts=Row, rejections=Row)
            .with_outputs(ACCOUNTS, REJECTIONS)
        )


def _account(element: tuple[str, Mapping[str, Iterable[Any]]]) -> Iterator[beam.pvalue.TaggedOutput]:
    row = _ledger_row(element)
    yield beam.pvalue.TaggedOutput(ACCOUNTS, row)
    if row["status"] == "done":
        count(INPUTS_DONE)
    else:
        count(rejected(row["reason"]))
        yield beam.pvalue.TaggedOutput(REJECTIONS, row)


def _ledger_row(element: tuple[str, Mapping[str, Iterable[Any]]]) -> Row:
    name, joined = element
    row: InputRow = next(iter(joined["rows"]))
    outcomes: list[InputOutcome] = list(joined["outcomes"])
    if not outcomes:
        raise AssertionError(f"{name} was neither built nor rejected")
    samples = [sample for outcome in outcomes for sample in outcome.samples]
    keys = sorted({sample.key for sample in samples if not sample.rejection})
    rejections = [outcome.rejection for outcome in outcomes if outcome.rejection]
    rejections += [sample.rejection for sample in samples if sample.rejection]
    first = min(rejections, key=lambda r: (r.stage, r.reason, r.detail), default=None)
    account: Row = {
        "input": name,
        "id": row.id,
        "uris": list(row.uris),
        "signature": row.signature,
        "keys": keys,
    }
    if keys:
        lost = f"{len(rejections)} of {len(samples)} spans gave no sample: {first.reason}" if first else None
        return account | {"status": "done", "stage": None, "reason": None, "detail": lost}
    assert first is not None
    return account | {
        "status": "rejected",
        "stage": str(first.stage),
        "reason": str(first.reason),
        "detail": first.detail,
    }


@beam.typehints.with_input_types(index=Row, ledger=Row)
@beam.typehints.with_output_types(Corpus)
class Finish(beam.PTransform):
    """{"index": rows, "ledger": rows} -> Corpus, once its files are written.

    A build that changed nothing leaves every file as it was.
    """

    def __init__(self, output: str, facts: Facts) -> None:
        super().__init__()
        self._output = output
        self._facts = facts

    def expand(self, inputs: Mapping[str, beam.PCollection]) -> beam.PCollection:
        together = beam.Map(lambda row: (None, row)).with_output_types(tuple[None, Row])
        tagged = {name: rows | f"One {name}" >> together for name, rows in inputs.items()}
        begin = next(iter(inputs.values())).pipeline | "Always" >> beam.Create([(None, None)])
        return (
            tagged
            | {"begin": begin}
            | "All rows" >> beam.CoGroupByKey()
            | "Write tables" >> beam.Map(_finish, self._output, self._facts).with_output_types(Corpus)
        )


def _finish(element: tuple[None, Mapping[str, Iterable[Any]]], output: str, facts: Facts) -> Corpus:
    index_rows = sorted(element[1]["index"], key=lambda row: (row["shard"], row["offset"]))
    ledger_rows = sorted(element[1]["ledger"], key=lambda row: _natural(row["input"]))
    index, ledger = table_bytes(index_rows, INDEX), table_bytes(ledger_rows, LEDGER)
    known = _existing(output)
    corpus = Corpus(
        options=facts.options,
        columns=facts.columns,
        counts=_counts(index_rows, ledger_rows),
        next_shard=max([known.next_shard if known else 0, *(after(row["shard"]) for row in index_rows)]),
        seconds={"media": sum(row["end_ns"] - row["start_ns"] for row in index_rows) / 1e9},
        libraries=facts.libraries,
        snapshots=known.snapshots if known else [],
    )
    digest = hashlib.sha256(index).hexdigest()
    if not corpus.snapshots or corpus.snapshots[-1].index_sha256 != digest:
        snapshot = Snapshot(
            name=f"{len(corpus.snapshots) + 1:04d}",
            created=facts.created,
            samples=len(index_rows),
            index_sha256=digest,
        )
        corpus.snapshots = [*corpus.snapshots, snapshot]
        _write(output, snapshot_index_name(snapshot.name), index)
    _write(output, LEDGER_NAME, ledger)
    _write(output, INDEX_NAME, index)
    passing = {"libraries", "seconds"}
    if known is None or corpus.model_dump(exclude=passing) != known.model_dump(exclude=passing):
        _write(output, CORPUS_NAME, corpus_bytes(corpus))
    return corpus


def corpus_bytes(corpus: Corpus) -> bytes:
    """The file corpus.json."""
    return (corpus.model_dump_json(indent=2) + "\n").encode()


def _existing(output: str) -> Corpus | None:
    path = files.join(output, CORPUS_NAME)
    return Corpus.model_validate_json(files.read_bytes(path)) if files.exists(path) else None


def _write(output: str, name: str, content: bytes) -> None:
    path = files.join(output, *name.split("/"))
    if not files.exists(path) or files.read_bytes(path) != content:
        files.put(path, content, output)


def _counts(index_rows: list[Row], ledger_rows: list[Row]) -> Counts:
    reasons = [row["reason"] for row in ledger_rows if row["status"] == "rejected"]
    return Counts(
        inputs=len(ledger_rows),
        done=len(ledger_rows) - len(reasons),
        rejected=len(reasons),
        rejected_by_reason={reason: reasons.count(reason) for reason in sorted(set(reasons))},
        samples=len(index_rows),
        steps=sum(row["steps"] for row in index_rows),
        shards=len({row["shard"] for row in index_rows}),
        bytes=sum(row["size"] for row in index_rows),
    )


def _natural(name: str) -> tuple[str, int]:
    """`manifest.jsonl:2` before `manifest.jsonl:12`."""
    match = re.fullmatch(r"(.*):(\d+)", name, re.DOTALL)
    return (match[1], int(match[2])) if match else (name, 0)
