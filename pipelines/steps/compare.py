"""A build into a corpus that exists: what stands, what is new, what must be written anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import apache_beam as beam

from pipelines.facts.headers import HEADERS
from pipelines.members import Members
from pipelines.products import Products
from pipelines.records import Fresh, PlannedSample, RowSays, rows_said
from pipelines.states.parts import TALKS_OF
from pipelines.steps.corpus import KeyedRow
from pipelines.steps.plan import merge, row_key
from schemas.digest import digest
from schemas.grid import Span
from schemas.media import Modality
from schemas.rows import Row
from schemas.sample import SAMPLE_VERSION, Source, sample_key
from schemas.state import BASE

FRESH = "fresh"
STANDING = "standing"
LEAVING = "leaving"
Claimed = tuple[
    Row, frozenset[str]
]  # an index row, and the inputs that this build does not name and that share it
Standing = tuple[Row, tuple[str, ...]]


@beam.typehints.with_input_types(samples=PlannedSample, index=KeyedRow, others=KeyedRow)
class CompareWithCorpus(beam.PTransform):
    """-> FRESH: Fresh; STANDING: (index row, inputs of this build) that stays a part of the corpus as it is;
    LEAVING: index row whose place in its base shard is given up.

    A layer of a sample stands where this build would make it again from the same content; a sample also where
    an input that this build does not name has it. The others (edited, dropped, annotated anew) are fresh or
    leave.
    """

    def __init__(
        self,
        products: Products,
        members: Members,
        inputs_leaving: frozenset[str] = frozenset(),
        missing: frozenset[str] = frozenset(),
        anew: bool = False,
    ) -> None:
        """As pipelines.build.Build has `missing` and `anew`; `inputs_leaving`: those that it takes out."""
        super().__init__()
        self._compare = _Compare(products.names(), members, inputs_leaving, missing, anew)

    def expand(self, inputs: Mapping[str, beam.PCollection]) -> beam.pvalue.DoOutputsTuple:
        """`inputs`: {"samples": PlannedSample, "index": (key, row), "others": (input, ledger row)}."""
        claims = beam.FlatMap(lambda pair: [(key, pair[0]) for key in pair[1]["keys"]])
        claimed = (
            {
                "index": inputs["index"],
                "claims": inputs["others"] | "Claims" >> claims.with_output_types(tuple[str, str]),
            }
            | "By key" >> beam.CoGroupByKey()
            | "Claimed" >> beam.FlatMap(_claimed).with_output_types(tuple[str, Claimed])
        )
        keyed = beam.Map(lambda sample: (identity(sample), sample)).with_output_types(
            tuple[str, PlannedSample]
        )
        return (
            {"samples": inputs["samples"] | "Sample identities" >> keyed, "rows": claimed}
            | "By media and span" >> beam.CoGroupByKey()
            | "Compare"
            >> beam.ParDo(self._compare)
            .with_output_types(Fresh | Standing | Row, fresh=Fresh, standing=Standing, leaving=Row)
            .with_outputs(FRESH, STANDING, LEAVING)
        )


def _claimed(element: tuple[str, Mapping[str, Iterable[Any]]]) -> Iterator[tuple[str, Claimed]]:
    _, joined = element
    for row in joined["index"]:
        yield row_identity(row), (row, frozenset(joined["claims"]))


def identity(sample: PlannedSample) -> str:
    """Samples of the same files and span are one."""
    return digest(
        [
            {str(modality): source.uri for modality, source in sample.media.items()},
            [sample.span.start_ns, sample.span.end_ns],
        ]
    )


def row_identity(row: Row) -> str:
    """That of the sample that an index row describes."""
    return digest([_given(row["uris"]), [row["start_ns"], row["end_ns"]]])


@beam.typehints.with_input_types(tuple[str, Mapping[str, Iterable[Any]]])
class _Compare(beam.DoFn):
    def __init__(
        self,
        made: list[str],
        members: Members,
        inputs_leaving: frozenset[str],
        missing: frozenset[str],
        anew: bool,
    ) -> None:
        self._made = made
        self._members = members
        self._inputs_leaving = inputs_leaving
        self._missing = missing
        self._anew = anew

    def process(self, element: tuple[str, Mapping[str, Iterable[Any]]]) -> Iterator[beam.pvalue.TaggedOutput]:
        _, joined = element
        samples = list(joined["samples"])
        sample = merge(samples) if samples else None
        for row, claimers in joined["rows"]:
            said = [says for says in rows_said(row[TALKS_OF]) if says.input in claimers]
            same = sample is not None and _given(row["digests"]) == _digests(sample)
            if same and sample is not None:
                named = sample.inputs
                sample = _with_rows(sample, said)
                if self._nameless(sample, row):
                    yield from self._under_another_name(sample, row)
                else:
                    yield from self._against(replace(sample, key=row["key"], id=row["id"]), row, named)
                sample = None
            elif claimers:
                sample_there = _sample_of(row, said)
                if self._nameless(sample_there, row):
                    yield from self._under_another_name(sample_there, row)
                else:
                    yield from self._against(sample_there, row, ())
            else:
                yield beam.pvalue.TaggedOutput(LEAVING, row)
        if sample is not None:
            yield beam.pvalue.TaggedOutput(FRESH, Fresh(sample, frozenset(self._members.layers)))

    def _nameless(self, sample: PlannedSample, row: Row) -> bool:
        """Whether the row that gave the sample its id is taken out: nothing of it may stay, nor its name."""
        owners = {talk["input"] for talk in row[TALKS_OF] if talk["id"] == row["id"]}
        ids = {says.id for says in sample.rows}
        return not self._inputs_leaving.isdisjoint(owners) and row["id"] not in ids

    def _under_another_name(self, sample: PlannedSample, row: Row) -> Iterator[beam.pvalue.TaggedOutput]:
        name = min(says.id for says in sample.rows)
        digests = {modality: source.sha256 for modality, source in sample.media.items()}
        renamed = replace(sample, id=name, key=sample_key(name, sample.span, digests))
        yield beam.pvalue.TaggedOutput(LEAVING, row)
        yield beam.pvalue.TaggedOutput(
            FRESH, Fresh(renamed, frozenset(self._members.layers), replaces=row["key"])
        )

    def _against(
        self, sample: PlannedSample, row: Row, named: tuple[str, ...]
    ) -> Iterator[beam.pvalue.TaggedOutput]:
        stale = self._stale(sample, row)
        held = {layer["column"] for layer in row["columns"]}
        if not stale and sample.talks() == row[TALKS_OF] and held <= set(self._members.layers):
            yield beam.pvalue.TaggedOutput(STANDING, (row, named))
            return
        if BASE in stale:
            yield beam.pvalue.TaggedOutput(LEAVING, row)
        yield beam.pvalue.TaggedOutput(FRESH, Fresh(sample, stale, row))

    def _stale(self, sample: PlannedSample, row: Row) -> frozenset[str]:
        """Layers that must be written; all of a sample of version 1 that is not what it was."""
        every = frozenset(self._members.layers)
        if self._anew or row["shard"] in self._missing:
            return every
        if row["record"] < SAMPLE_VERSION:
            stands = sample.content_of_version_1(self._made) == row["content"]
            return frozenset() if stands else every
        held = {layer["column"]: layer for layer in row["columns"] if layer["shard"] not in self._missing}
        contents = {BASE: row["content"], **{name: layer["content"] for name, layer in held.items()}}
        return frozenset(
            layer for layer in every if contents.get(layer) != self._members.content(sample, layer)
        )


def _with_rows(sample: PlannedSample, said: Iterable[RowSays]) -> PlannedSample:
    rows = {row_key(row): row for row in (*sample.rows, *said)}
    return replace(sample, rows=tuple(rows[key] for key in sorted(rows)))


def _sample_of(row: Row, said: list[RowSays]) -> PlannedSample:
    """The sample of an index row, with what some of its rows say."""
    uris, digests = _given(row["uris"]), _given(row["digests"])
    media = {Modality(name): Source.of_content(uri, digests[name]) for name, uri in uris.items()}
    headers = tuple(row[name] for name in HEADERS) if HEADERS[0] in row else ()
    span = Span(row["start_ns"], row["end_ns"])
    sample = PlannedSample(row["key"], row["id"], span, media, (), headers=headers)
    return _with_rows(sample, said)


def _digests(sample: PlannedSample) -> dict[str, str]:
    return {str(modality): source.content for modality, source in sample.media.items()}


def _given(per_modality: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in per_modality.items() if value is not None}
