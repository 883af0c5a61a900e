from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from pipelines.records import InputOutcome, PlannedSample, Probed, Rejection, RowSays, rows_said
from pipelines.steps import plan
from pipelines.steps.plan import PARTS, REJECTED, MergeRows, PlanSamples
from schemas.cuts import Cutting
from schemas.grid import SECOND_NS, Span
from schemas.manifest import InputRow
from schemas.media import MediaInfo, VideoStream
from schemas.reasons import Reason, Stage

from .conftest import in_process

VIDEO = Probed("a" * 64, MediaInfo("mov", 5 * SECOND_NS, VideoStream("h264", 4, 4, 0, 5 * SECOND_NS, 125)))
BROKEN = Rejection(Stage.PROBE, Reason.NOT_MEDIA, "noise")
TALK = ({"from": "human", "value": "what?"},)


def test_rows_are_cut_into_spans_and_what_cannot_be_is_accounted_for() -> None:
    rows = [
        InputRow(input="whole", id="whole", media="/v"),
        InputRow(input="late", id="late", media="/v", start_ns=9 * SECOND_NS),
        InputRow(input="bad", id="bad", media="/b"),
        InputRow(input="wrong", id="wrong", refusal=(Reason.BAD_ROW, "field 'start': …")),
    ]

    def spans(parts: list[tuple[str, PlannedSample]]) -> None:
        found = sorted((part.id, part.span) for _, part in parts)
        cuts = ((0, 2), (2, 4), (4, 5))
        assert found == [("whole", Span(a * SECOND_NS, b * SECOND_NS)) for a, b in cuts]

    def reasons(accounts: list[tuple[str, InputOutcome]]) -> None:
        assert {name: outcome.rejection.reason for name, outcome in accounts} == {
            "late": Reason.SPAN_OUT_OF_RANGE,
            "bad": Reason.NOT_MEDIA,
            "wrong": Reason.BAD_ROW,
        }

    with in_process() as pipeline:
        inputs = {
            "rows": pipeline | "Rows" >> beam.Create(rows),
            "probes": pipeline | "Probes" >> beam.Create([("/v", VIDEO), ("/b", BROKEN)]),
        }
        planned = inputs | PlanSamples(Cutting(2 * SECOND_NS))
        assert_that(planned[PARTS], spans, label="parts")
        assert_that(planned[REJECTED], reasons, label="rejected")


def test_rows_that_share_media_and_span_become_one_sample(planned: Any) -> None:
    one = RowSays("one", "a.mp4", (TALK,), {"split": "train", "n": 1})
    two = RowSays("two", "b.mp4", (TALK,), {"split": "train", "n": 2})
    first, second, other = planned("a", rows=(one,)), planned("b", rows=(two,)), planned("c")
    merged = planned("a", rows=(one, two))
    with in_process() as pipeline:
        parts = pipeline | beam.Create([("same", second), ("other", other), ("same", first)])
        assert_that(parts | MergeRows(), equal_to([merged, other]))
    assert (merged.conversations, merged.metadata) == ([TALK], {"split": "train"})
    assert rows_said(merged.talks()) == merged.rows


def test_runtime_type_check_sees_an_element_of_another_type(
    planned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "merge", lambda rows: "no sample")
    pipeline = beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner", "--runtime_type_check"]))
    _ = pipeline | beam.Create([("same", planned("a"))]) | MergeRows()
    with pytest.raises(Exception, match="'no sample', an instance of type"):
        pipeline.run().wait_until_finish()
