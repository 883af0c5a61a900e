from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from pipelines.changes import OtherColumnsError
from pipelines.states.commit import Changes, commit
from pipelines.steps.corpus import OtherInputs, ReadCorpus
from schemas.manifest import InputRow

from .conftest import LAYERS, in_process

LedgerRow = Callable[..., dict[str, Any]]


def test_a_corpus_is_read_as_it_is_and_none_is_empty(tmp_path: Path, ledger_row: LedgerRow) -> None:
    row = ledger_row("/a.mp4")
    state = commit(str(tmp_path), Changes(0, {}, {}, LAYERS, 0, ledger=[row]))
    for parent, wanted in ((state, [("/a.mp4", row)]), (None, [])):
        with in_process() as pipeline:
            found = pipeline | ReadCorpus(str(tmp_path), parent)
            assert_that(found["ledger"], equal_to(wanted), label="ledger")
            assert_that(found["index"], equal_to([]), label="index")


def others(pipeline: Any, same: bool, rows: list[dict[str, Any]]) -> Any:
    return {
        "rows": pipeline | "Rows" >> beam.Create([InputRow(input="named", id="x", media="named")]),
        "ledger": pipeline | "Ledger" >> beam.Create([(row["input"], row) for row in rows]),
    } | OtherInputs("out", same, frozenset({"leaving"}))


def test_other_inputs_are_those_that_this_build_neither_names_nor_takes_out(ledger_row: LedgerRow) -> None:
    rows = [ledger_row(name) for name in ("named", "leaving", "other")]
    with in_process() as pipeline:
        assert_that(others(pipeline, True, rows), equal_to([("other", rows[2])]))


def test_others_of_other_columns_are_refused_unless_they_are_taken_out(ledger_row: LedgerRow) -> None:
    gone = ledger_row("other") | {"status": "removed"}
    with in_process() as pipeline:
        assert_that(others(pipeline, False, [gone]), equal_to([("other", gone)]))
    with pytest.raises(OtherColumnsError, match="name those inputs too"), in_process() as pipeline:
        others(pipeline, False, [ledger_row("other")])
