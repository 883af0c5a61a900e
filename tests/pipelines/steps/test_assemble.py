from collections.abc import Callable
from typing import Any

import apache_beam as beam
from apache_beam.testing.util import assert_that, equal_to

from pipelines.members import Members
from pipelines.records import InputOutcome, PlannedSample, Rejection, SampleOutcome
from pipelines.steps.assemble import FAILED, READY, Assemble, Ready
from schemas.reasons import Reason, Stage

from .conftest import fresh, in_process


def test_a_sample_is_ready_when_all_its_products_are_there(
    planned: Callable[..., PlannedSample], stored: Any, members: Members
) -> None:
    ready, known, empty, failed = (planned(name, start) for start, name in enumerate("abcd"))
    for sample, rows in ((ready, (0, 1)), (known, (0, -1)), (empty, (-1, -1))):
        stored(sample, rows)
    broken = Rejection(Stage.DECODE, Reason.CORRUPT, "lost")
    slow = Rejection(Stage.DECODE, Reason.TIMED_OUT, "slow")

    def samples(found: list[Ready]) -> None:
        assert {item.fresh.sample.key: item.group for item in found} == {"a": "clip.npy", "b": "clip.npy"}
        assert all(2048 <= item.size < 8192 for item in found)

    with in_process() as pipeline:
        outcomes = [("a", None), ("a", None), ("d", slow), ("d", None), ("d", broken)]
        assembled = {
            "samples": pipeline
            | "Samples" >> beam.Create([fresh(sample) for sample in (ready, known, empty, failed)]),
            "outcomes": pipeline | "Outcomes" >> beam.Create(outcomes),
        } | Assemble(members)
        assert_that(assembled[READY], samples, label="ready")
        nothing = Rejection(Stage.DECODE, Reason.CORRUPT, "neither a frame nor a sound in the span")
        accounts = [
            ("/c.mp4", InputOutcome(samples=(SampleOutcome("c", 2 * 10**9, 3 * 10**9, nothing),))),
            ("/d.mp4", InputOutcome(samples=(SampleOutcome("d", 3 * 10**9, 4 * 10**9, broken),))),
        ]
        assert_that(assembled[FAILED], equal_to(accounts), label="failed")
