"""Rows and what their files hold -> samples: probe, cut or keep spans, merge rows that share a span."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import apache_beam as beam

from pipelines.facts.headers import of_media
from pipelines.products import IMAGE_SPAN, MENDED_VERSION
from pipelines.records import AccountOfInput, InputOutcome, PlannedSample, Probed, Rejection, RowSays
from pipelines.steps.probe import ProbedUri
from schemas.cuts import CutAt, Cutting, Places
from schemas.digest import canonical_json, digest
from schemas.grid import STEP_NS, FrameAt, Grid, Span, ns_to_seconds
from schemas.manifest import InputRow
from schemas.media import MediaInfo, Modality
from schemas.reasons import MediaError, Reason, Stage
from schemas.sample import Source, sample_key

PARTS = "parts"
REJECTED = "rejected"
Part = tuple[str, PlannedSample]
Piece = tuple[InputRow, str, Probed | Rejection]  # of a row: one of its files


@beam.typehints.with_input_types(rows=InputRow, probes=ProbedUri)
class PlanSamples(beam.PTransform):
    """{"rows": InputRow, "probes": (uri, Probed | Rejection)} -> PARTS: (identity of media and span,
    PlannedSample), one a row and span; REJECTED: (input, InputOutcome)."""

    def __init__(self, cutting: Cutting, frame_at: FrameAt = FrameAt.CENTER) -> None:
        super().__init__()
        self._plan = partial(plan_row, cutting=cutting, frame_at=frame_at)

    def expand(self, inputs: Mapping[str, beam.PCollection]) -> dict[str, beam.PCollection]:
        uris = beam.FlatMap(lambda row: [(uri, row) for uri in row.uris])
        by_uri = {
            "rows": inputs["rows"] | "Uris of rows" >> uris.with_output_types(tuple[str, InputRow]),
            "probes": inputs["probes"],
        }
        planned = (
            by_uri
            | "Rows meet probes" >> beam.CoGroupByKey()
            | "By input" >> beam.FlatMap(_by_input).with_output_types(tuple[str, Piece])
            | "Whole rows" >> beam.GroupByKey()
            | "Spans"
            >> beam.ParDo(_PlanRow(self._plan))
            .with_output_types(Part | AccountOfInput, parts=Part, rejected=AccountOfInput)
            .with_outputs(PARTS, REJECTED)
        )
        refused = inputs["rows"] | "Refused" >> beam.FlatMap(_refused).with_output_types(AccountOfInput)
        rejected = [planned[REJECTED], refused] | "Rejected" >> beam.Flatten()
        return {PARTS: planned[PARTS], REJECTED: rejected}


@beam.typehints.with_input_types(Part)
@beam.typehints.with_output_types(PlannedSample)
class MergeRows(beam.PTransform):
    """(identity, part) -> PlannedSample: rows that share media and span become one sample."""

    def expand(self, parts: beam.PCollection) -> beam.PCollection:
        merged = beam.MapTuple(lambda identity, rows: merge(rows)).with_output_types(PlannedSample)
        return parts | beam.GroupByKey() | merged


def _refused(row: InputRow) -> Iterator[AccountOfInput]:
    if row.refusal:
        yield row.input, InputOutcome(rejection=Rejection(Stage.SOURCE, *row.refusal))


def _by_input(element: tuple[str, Mapping[str, Iterable[Any]]]) -> Iterator[tuple[str, Piece]]:
    uri, joined = element
    [probe] = joined["probes"]
    for row in joined["rows"]:
        yield row.input, (row, uri, probe)


@beam.typehints.with_input_types(tuple[str, Iterable[Piece]])
class _PlanRow(beam.DoFn):
    def __init__(self, plan: Callable[..., list[PlannedSample]]) -> None:
        self._plan = plan

    def process(self, element: tuple[str, Iterable[Piece]]) -> Iterator[Any]:
        name, joined = element
        members = list(joined)
        row = members[0][0]
        probes = {uri: probe for _, uri, probe in members}
        failed = [probe for probe in probes.values() if isinstance(probe, Rejection)]
        if failed:
            yield beam.pvalue.TaggedOutput(REJECTED, (name, InputOutcome(rejection=failed[0])))
            return
        probed = {uri: probe for uri, probe in probes.items() if isinstance(probe, Probed)}
        try:
            parts = self._plan(row, probed)
        except MediaError as error:
            rejection = Rejection(Stage.PLAN, error.reason, error.detail)
            yield beam.pvalue.TaggedOutput(REJECTED, (name, InputOutcome(rejection=rejection)))
            return
        for part in parts:
            identity = [
                {str(m): source.uri for m, source in part.media.items()},
                [part.span.start_ns, part.span.end_ns],
            ]
            yield beam.pvalue.TaggedOutput(PARTS, (digest(identity), part))


def plan_row(
    row: InputRow,
    probed: Mapping[str, Probed],
    cutting: Cutting,
    frame_at: FrameAt = FrameAt.CENTER,
) -> list[PlannedSample]:
    """The samples of one row; their keys and ids are final unless another row shares media and span.

    Raises:
        MediaError: MISSING_MODALITY, SPAN_OUT_OF_RANGE.
    """
    media = _media(row, probed)
    timed = [probed[source.uri].info for m, source in media.items() if m is not Modality.IMAGE]
    length_ns = max((info.duration_ns for info in timed), default=0)
    decides = media.get(Modality.VIDEO if cutting.at is CutAt.SCENES else Modality.AUDIO)
    places = probed[decides.uri].places if decides and cutting.at is not CutAt.CLIPS else None
    spans = _spans(row, length_ns, cutting, places) if timed else [IMAGE_SPAN]
    if cutting.first:
        spans = [Span(spans[0].start_ns, min(spans[0].end_ns, spans[0].start_ns + cutting.longest_ns))]
    digests = {modality: source.sha256 for modality, source in media.items()}
    sound = media.get(Modality.AUDIO)
    sound_ns = probed[sound.uri].info.duration_ns if sound else 0
    headers = of_media(media, probed)
    return [
        PlannedSample(
            key=sample_key(row.id, span, digests),
            id=row.id,
            span=span,
            media={
                modality: replace(
                    source, timeline=_timeline(probed[source.uri].info, modality, Grid(span, frame_at))
                )
                for modality, source in media.items()
            },
            rows=(RowSays(row.input, row.id, row.conversations, row.metadata),),
            sound_ns=sound_ns,
            headers=headers,
        )
        for span in spans
    ]


def _timeline(info: MediaInfo, modality: Modality, grid: Grid) -> int:
    """Version of the reading of one stream of one span: raised where favor-data 0.1.0 read it otherwise."""
    if modality is Modality.IMAGE:
        return 1
    if info.mended:
        return MENDED_VERSION
    if modality is Modality.VIDEO and info.video is not None and grid.frame_at is FrameAt.CENTER:
        instants = grid.frame_times_ns(info.duration_ns)
        moved = instants != grid.frame_times_ns()  # a step that is covered for less than its half
        if (moved & (instants < info.video.end_ns)).any():
            return MENDED_VERSION
    return 1


def _media(row: InputRow, probed: Mapping[str, Probed]) -> dict[Modality, Source]:
    media: dict[Modality, Source] = {}
    for modality, uri in row.named.items():
        if modality not in _holds(probed[uri].info):
            raise MediaError(Reason.MISSING_MODALITY, f"{uri} holds no {modality}")
        media[modality] = Source(uri, probed[uri].sha256)
    whole = row.media or row.named.get(Modality.VIDEO)  # a video brings its own sound
    if whole:
        info = probed[whole].info
        for modality in _holds(info):
            if not (modality is Modality.IMAGE and info.video):  # of an animation, the motion
                media.setdefault(modality, Source(whole, probed[whole].sha256))
    if row.silent and Modality.AUDIO in media:
        del media[Modality.AUDIO]
        if not media:
            raise MediaError(Reason.MISSING_MODALITY, f"{whole} holds sound alone, which is not wanted")
    return media


def _holds(info: MediaInfo) -> tuple[Modality, ...]:
    held = {Modality.VIDEO: info.video, Modality.AUDIO: info.audio, Modality.IMAGE: info.image_size}
    return tuple(modality for modality, stream in held.items() if stream)


def _spans(row: InputRow, duration_ns: int, cutting: Cutting, places: Places | None) -> list[Span]:
    """An annotated span may reach at most one step past the media's end: annotations are rounded."""
    if not row.annotated:
        return cutting.spans(max(duration_ns, 1), places)
    start = row.start_ns or 0
    end = duration_ns if row.end_ns is None else row.end_ns
    if start >= duration_ns or end > duration_ns + STEP_NS:
        raise MediaError(
            Reason.SPAN_OUT_OF_RANGE,
            f"[{ns_to_seconds(start):g}, {ns_to_seconds(end):g}) s asked of {ns_to_seconds(duration_ns):g} s",
        )
    return [Span(start, end)]


def merge(parts: Iterable[PlannedSample]) -> PlannedSample:
    """One sample of rows that share it, in an order that does not depend on the manifest's: by id, then
    by what the row says."""
    samples = sorted(parts, key=lambda part: (part.id, part.key))
    rows = {row_key(row): row for part in samples for row in part.rows}
    return replace(samples[0], rows=tuple(rows[key] for key in sorted(rows)))


def row_key(row: RowSays) -> tuple[str, bytes, str]:
    """What rows of a sample are sorted by."""
    return row.id, canonical_json([row.conversations, row.metadata]), row.input
