"""Samples and what became of their streams -> samples ready for a shard, or why not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from pipelines.members import Members
from pipelines.records import AccountOfInput, InputOutcome, PlannedSample, Rejection, SampleOutcome
from pipelines.steps.decode import Outcome
from schemas.reasons import Reason, Stage

READY = "ready"
FAILED = "failed"


@dataclass(frozen=True)
class Ready:
    """A sample whose every product is in the cache.

    Attributes:
        group: shards hold samples of one group, whose members have the same names: Hugging Face's
            WebDataset reader wants this, and training batches by modality.
        size: about the bytes that it takes in a shard, the measure for packing.
    """

    sample: PlannedSample
    group: str
    size: int


@beam.typehints.with_input_types(samples=PlannedSample, outcomes=Outcome)
class Assemble(beam.PTransform):
    """{"samples": PlannedSample, "outcomes": (key, Rejection | None)} -> READY: Ready;
    FAILED: (input, InputOutcome)."""

    def __init__(self, members: Members) -> None:
        super().__init__()
        self._members = members

    def expand(self, inputs: Mapping[str, beam.PCollection]) -> beam.pvalue.DoOutputsTuple:
        """Every outcome of a sample has arrived when its group does: the job's one barrier."""
        keyed = beam.Map(lambda sample: (sample.key, sample)).with_output_types(tuple[str, PlannedSample])
        return (
            {"samples": inputs["samples"] | "Key samples" >> keyed, "outcomes": inputs["outcomes"]}
            | "Join" >> beam.CoGroupByKey()
            | "Check"
            >> beam.FlatMap(_assemble, self._members)
            .with_output_types(Ready | AccountOfInput, ready=Ready, failed=AccountOfInput)
            .with_outputs(READY, FAILED)
        )


def _assemble(element: tuple[str, Mapping[str, Iterable[Any]]], members: Members) -> Iterator[Any]:
    key, joined = element
    [sample] = joined["samples"]
    rejections = [rejection for rejection in joined["outcomes"] if rejection]
    outline = None if rejections else members.outline(sample)
    if outline and outline.masks.empty:
        rejections = [Rejection(Stage.DECODE, Reason.CORRUPT, "neither a frame nor a sound in the span")]
    if rejections or not outline:
        rejection = min(rejections, key=lambda r: (r.stage, r.reason, r.detail))
        for name in sample.inputs:
            outcome = InputOutcome(samples=(SampleOutcome(key, rejection),))
            yield beam.pvalue.TaggedOutput(FAILED, (name, outcome))
        return
    yield beam.pvalue.TaggedOutput(READY, Ready(sample, outline.group, outline.size))
