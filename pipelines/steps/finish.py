"""The last step: the ledger's rows, and the one commit that makes all of it the corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam

from pipelines.build import Build, Facts
from pipelines.changes import salt_of, tombstone
from pipelines.errors import StorageError
from pipelines.metrics.counters import INPUTS_DONE, count, rejected
from pipelines.records import AccountOfInput, InputOutcome, Rejection, SampleOutcome
from pipelines.settle import Around, settle
from pipelines.states.commit import Changes, commit, lost
from pipelines.steps.corpus import KeyedRow
from pipelines.steps.shards import Changed
from schemas.manifest import InputRow
from schemas.reasons import PASSING, Reason
from schemas.rows import Row
from schemas.state import State, shard_number

ACCOUNTS = "accounts"
REJECTIONS = "rejections"
Account = tuple[Row, str | None]  # a ledger row, and the signature of the one that it takes the place of


@beam.typehints.with_input_types(rows=InputRow, outcomes=AccountOfInput, ledger=KeyedRow)
class LedgerRows(beam.PTransform):
    """{"rows": InputRow, "outcomes": (input, InputOutcome), "ledger": (input, row as it was)} -> ACCOUNTS:
    one Account an input of this build; REJECTIONS: rows of rejected ones once more, the job's error output.
    """

    def expand(self, inputs: Mapping[str, beam.PCollection]) -> beam.pvalue.DoOutputsTuple:
        keyed = beam.Map(lambda row: (row.input, row)).with_output_types(tuple[str, InputRow])
        return (
            {
                "rows": inputs["rows"] | "Key inputs" >> keyed,
                "outcomes": inputs["outcomes"],
                "ledger": inputs["ledger"],
            }
            | "Join" >> beam.CoGroupByKey()
            | "Account"
            >> beam.FlatMap(_account)
            .with_output_types(Account | Row, accounts=Account, rejections=Row)
            .with_outputs(ACCOUNTS, REJECTIONS)
        )


def _account(element: tuple[str, Mapping[str, Iterable[Any]]]) -> Iterator[beam.pvalue.TaggedOutput]:
    name, joined = element
    rows = list(joined["rows"])
    if not rows:  # of another build
        outcomes = list(joined["outcomes"])
        _check_made_again(name, outcomes)
        for old in joined["ledger"]:
            row = _renamed(old, outcomes)
            if row != old:
                yield beam.pvalue.TaggedOutput(ACCOUNTS, (row, old["signature"]))
        return
    row = _ledger_row(name, rows[0], list(joined["outcomes"]))
    before = next((old["signature"] for old in joined["ledger"]), None)
    yield beam.pvalue.TaggedOutput(ACCOUNTS, (row, before))
    if row["status"] == "done":
        count(INPUTS_DONE)
    elif row["status"] == "rejected":
        count(rejected(row["reason"]))
        yield beam.pvalue.TaggedOutput(REJECTIONS, row)


def _renamed(row: Row, outcomes: list[InputOutcome]) -> Row:
    """The row of an input that shared samples with one that leaves: their keys are other ones now."""
    new = {span.replaces: span.key for outcome in outcomes for span in outcome.samples if span.replaces}
    spans = [{**span, "key": new.get(span["key"], span["key"])} for span in row["outcomes"]]
    return {**row, "keys": sorted(new.get(key, key) for key in row["keys"]), "outcomes": spans}


def _check_made_again(name: str, outcomes: list[InputOutcome]) -> None:
    """Raises:
    StorageError: a missing shard held a sample of this input, and it cannot be made again.
    """
    for rejection in (span.rejection for outcome in outcomes for span in outcome.samples):
        if rejection:
            raise StorageError(
                f"a shard is missing, and {name} cannot be made again ({rejection.reason}: "
                f"{rejection.detail}): bring its media back, or remove it"
            )


def _ledger_row(name: str, row: InputRow, outcomes: list[InputOutcome]) -> Row:
    if not outcomes:
        raise AssertionError(f"{name} was neither built nor rejected")
    spans = sorted(
        {sample.key: sample for outcome in outcomes for sample in outcome.samples}.values(),
        key=lambda span: (span.start_ns, span.end_ns, span.key),
    )
    keys = sorted(span.key for span in spans if not span.rejection)
    rejections = [outcome.rejection for outcome in outcomes if outcome.rejection]
    rejections += [span.rejection for span in spans if span.rejection]
    first = min(rejections, key=lambda r: (r.stage, r.reason, r.detail), default=None)
    lost = (
        f"{len(rejections)} of {len(spans)} spans gave no sample: {first.reason}" if keys and first else None
    )
    filtered = not keys and bool(rejections) and all(one.reason is Reason.FILTERED for one in rejections)
    nowhere = {"stage": None, "reason": None, "detail": first.detail} if filtered and first else _why(first)
    account: Row = {
        "input": name,
        "id": row.id,
        "uris": list(row.uris),
        "signature": "" if _passes(rejections, row) else row.signature,
        "status": "done" if keys else "filtered" if filtered else "rejected",
        **({"stage": None, "reason": None, "detail": lost} if keys else nowhere),
        "keys": keys,
        "outcomes": [_outcome(span) for span in spans],
        "remarks": _remarks(spans),
    }
    return account


def _passes(rejections: Iterable[Rejection], row: InputRow) -> bool:
    """Whether it is to be looked at again, whatever its files' versions: one was there when the inputs were
    listed and was gone when it was read, or changed while it was read."""
    reasons = {rejection.reason for rejection in rejections}
    return bool(reasons & PASSING) and Reason.NOT_FOUND not in row.versions


def _why(rejection: Rejection | None) -> Row:
    if rejection is None:
        return {"stage": None, "reason": None, "detail": None}
    return {"stage": str(rejection.stage), "reason": str(rejection.reason), "detail": rejection.detail}


def _outcome(span: SampleOutcome) -> Row:
    key = None if span.rejection else span.key
    return {"start_ns": span.start_ns, "end_ns": span.end_ns, "key": key, **_why(span.rejection)}


def _remarks(spans: list[SampleOutcome]) -> list[Row]:
    counts = Counter(remark for span in spans for remark in span.remarks)
    return [{"remark": remark, "count": counts[remark]} for remark in sorted(counts)]


@beam.typehints.with_input_types(put=Changed, leaving=Row, accounts=Account)
@beam.typehints.with_output_types(State)
class Finish(beam.PTransform):
    """{"put": Changed, "leaving": index row, "accounts": Account} -> the State that holds them.

    A build that changed nothing makes no state.
    """

    def __init__(self, build: Build) -> None:
        super().__init__()
        self._around = Around.of(build)
        self._build = build.facts, build.removed, build.dropped

    def expand(self, inputs: Mapping[str, beam.PCollection]) -> beam.PCollection:
        together = beam.Map(lambda one: (None, one)).with_output_types(tuple[None, Any])
        tagged = {name: rows | f"One {name}" >> together for name, rows in inputs.items()}
        begin = next(iter(inputs.values())).pipeline | "Always" >> beam.Create([(None, None)])
        return (
            tagged
            | {"begin": begin}
            | "All rows" >> beam.CoGroupByKey()
            | "Commit" >> beam.Map(_finish, self._around, *self._build).with_output_types(State)
        )


def _finish(
    element: tuple[None, Mapping[str, Iterable[Any]]],
    around: Around,
    facts: Facts,
    removed: tuple[Row, ...],
    dropped: tuple[Row, ...],
) -> State:
    parent = around.parent
    put: list[Changed] = list(element[1]["put"])
    accounts: list[Account] = list(element[1]["accounts"])
    gone = {row["key"]: row for row in element[1]["leaving"]}
    gone |= {old["key"]: old for _, old in put if old is not None}
    first = parent.next_shard if parent else 0
    salt = salt_of(parent) if parent and removed else ""
    changes = Changes(
        parent=parent.state if parent else 0,
        options=facts.options,
        columns=facts.columns,
        layers=facts.layers,
        next_shard=max([first, *(shard_number(row["shard"]) + 1 for row, _ in put)]),
        put=sorted((row for row, _ in put), key=lambda row: row["key"]),
        gone=gone,
        ledger=[*(row for row, _ in accounts), *removed],
        seen={
            **{row["input"]: before for row, before in accounts if before is not None},
            **{row["input"]: row["signature"] for row in (*removed, *dropped)},
        },
        dropped=frozenset(row["input"] for row in dropped),
        salt=salt,
        tombstones=frozenset(tombstone(salt, row["id"], row["uris"]) for row in removed),
        sources=facts.sources,
        mirrored=facts.mirrored,
    )
    commit(around.output, changes)
    state = settle(around, {})
    if state is None:
        raise lost(around.output)
    return state
