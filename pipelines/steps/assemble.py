"""Samples and what became of their streams -> samples ready for their shards, or why not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from pipelines.members import Members
from pipelines.records import AccountOfInput, Fresh, InputOutcome, Rejection, SampleOutcome
from pipelines.steps.decode import Outcome
from schemas.reasons import Reason, Stage
from schemas.rows import Row
from schemas.state import BASE

READY = "ready"
FAILED = "failed"
LOST = "lost"


@dataclass(frozen=True, slots=True)
class Ready:
    """A sample whose every product is in the cache or in a shard.

    Attributes:
        group: base shards hold samples of one group, whose members have the same names: Hugging Face's
            WebDataset reader wants this, and training batches by modality.
        size: about the bytes that it takes in its base shard, the measure for packing.
    """

    fresh: Fresh
    group: str
    size: int

    @property
    def beside(self) -> bool:
        """Whether its base stands."""
        return self.fresh.row is not None and BASE not in self.fresh.layers


@beam.typehints.with_input_types(samples=Fresh, outcomes=Outcome)
class Assemble(beam.PTransform):
    """{"samples": Fresh, "outcomes": (key, Rejection | None)} -> READY: Ready; FAILED: (input, InputOutcome);
    LOST: index row of a sample that stood in its base shard and whose new layer cannot be made."""

    def __init__(self, members: Members) -> None:
        super().__init__()
        self._members = members

    def expand(self, inputs: Mapping[str, beam.PCollection]) -> beam.pvalue.DoOutputsTuple:
        """Every outcome of a sample has arrived when its group does: the job's one barrier."""
        keyed = beam.Map(lambda fresh: (fresh.sample.key, fresh)).with_output_types(tuple[str, Fresh])
        return (
            {"samples": inputs["samples"] | "Key samples" >> keyed, "outcomes": inputs["outcomes"]}
            | "Join" >> beam.CoGroupByKey()
            | "Check"
            >> beam.FlatMap(_assemble, self._members)
            .with_output_types(Ready | AccountOfInput | Row, ready=Ready, failed=AccountOfInput, lost=Row)
            .with_outputs(READY, FAILED, LOST)
        )


def _assemble(element: tuple[str, Mapping[str, Iterable[Any]]], members: Members) -> Iterator[Any]:
    key, joined = element
    found: list[Fresh] = list(joined["samples"])
    assert len(found) == 1, f"{len(found)} samples have the key {key}"  # 64 bits of hash
    [fresh] = found
    rejections = [rejection for rejection in joined["outcomes"] if rejection]
    group, size = (fresh.row["members"], fresh.row["size"]) if fresh.row else ("", 0)
    if BASE in fresh.layers and not rejections:
        outline = members.outline(fresh)
        group, size = outline.group, outline.size
        if outline.masks.empty:
            rejections = [Rejection(Stage.DECODE, Reason.CORRUPT, "neither a frame nor a sound in the span")]
    if not rejections:
        yield beam.pvalue.TaggedOutput(READY, Ready(fresh, group, size))
        return
    rejection = min(rejections, key=lambda r: (r.stage, r.reason, r.detail))
    span = fresh.sample.span
    for name in fresh.sample.inputs:
        outcome = InputOutcome(samples=(SampleOutcome(key, span.start_ns, span.end_ns, rejection),))
        yield beam.pvalue.TaggedOutput(FAILED, (name, outcome))
    if fresh.row and BASE not in fresh.layers:
        yield beam.pvalue.TaggedOutput(LOST, fresh.row)
