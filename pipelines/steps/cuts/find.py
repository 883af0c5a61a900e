"""Each file's cuts, found once: what was found lies in the cache under the file's own bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from typing import Any

import apache_beam as beam
from pydantic import TypeAdapter

from decoders.processes import shared_pool
from decoders.processes.worker import DecodeJob
from pipelines.build import Build
from pipelines.metrics.counters import count_isolation
from pipelines.metrics.profile import timed
from pipelines.products import CUTS_VERSION, TIMELINE_VERSION
from pipelines.records import Probed
from pipelines.steps.cuts.places import PIECE_NS, places
from pipelines.steps.probe import ProbedUri, holds
from pipelines.storage.reading import reading
from schemas.cuts import CutAt, Places
from schemas.digest import canonical_json, digest
from schemas.grid import Grid, cut
from schemas.manifest import InputRow
from schemas.media import ClipRequest
from schemas.reasons import MediaError
from signals.picture.small import FRAMES
from storage import web

CUTS_SUFFIX = "cuts"
_PLACES = TypeAdapter(Places)


@beam.typehints.with_input_types(rows=InputRow, probes=ProbedUri)
@beam.typehints.with_output_types(ProbedUri)
class FindCuts(beam.PTransform):
    """{"rows": InputRow, "probes": ProbedUri} -> the probes, with the places where files may be cut of which
    a row names no span.

    A file that cannot be decoded has none: decoding says why.
    """

    def __init__(self, find: beam.DoFn) -> None:
        super().__init__()
        self._find = find

    @classmethod
    def step(cls, build: Build) -> FindCuts:
        """Of a build."""
        return cls(_Find(build))

    def expand(self, inputs: Mapping[str, beam.PCollection]) -> beam.PCollection:
        wanted = beam.FlatMap(lambda row: [] if row.annotated else [(uri, True) for uri in row.uris])
        return (
            {
                "probes": inputs["probes"],
                "wanted": inputs["rows"] | "To be cut" >> wanted.with_output_types(tuple[str, bool]),
            }
            | "By uri" >> beam.CoGroupByKey()
            | "Find" >> beam.ParDo(self._find)
        )


@beam.typehints.with_input_types(tuple[str, Mapping[str, Iterable[Any]]])
@beam.typehints.with_output_types(ProbedUri)
class _Find(beam.DoFn):
    def __init__(self, build: Build) -> None:
        self._at = build.cutting.at
        self._cache = build.cache
        self._limits = build.limits
        self._audio_track = build.audio_track
        self._hosts = build.hosts

    def setup(self) -> None:
        self._guard = ExitStack()
        if self._hosts is not None:
            self._guard.enter_context(web.guarded(self._hosts))
        self._pool = shared_pool.acquire(self._limits)

    def finish_bundle(self) -> None:
        count_isolation()

    def teardown(self) -> None:
        shared_pool.release(self._limits)
        self._guard.close()

    def process(self, element: tuple[str, Mapping[str, Iterable[Any]]]) -> Iterator[ProbedUri]:
        uri, joined = element
        [probe] = joined["probes"]
        if any(joined["wanted"]) and isinstance(probe, Probed) and self._decides(probe):
            probe = replace(probe, places=self._known(probe) or self._looked_for(uri, probe))
        yield uri, probe

    def _decides(self, probed: Probed) -> bool:
        held = probed.info.video if self._at is CutAt.SCENES else probed.info.audio
        return held is not None and probed.info.duration_ns > 0

    def _key(self, probed: Probed) -> str:
        read_as = [TIMELINE_VERSION, probed.info.mended, self._audio_track]
        return digest([str(self._at), CUTS_VERSION, *read_as, probed.sha256])

    def _known(self, probed: Probed) -> Places | None:
        entry = self._cache.find(self._key(probed), CUTS_SUFFIX)
        return None if entry is None else _PLACES.validate_python(json.loads(entry)["places"])

    def _looked_for(self, uri: str, probed: Probed) -> Places | None:
        scenes = self._at is CutAt.SCENES
        pieces = cut(probed.info.duration_ns, PIECE_NS)
        try:
            with timed("cuts"), reading(uri) as copy:
                if not holds(copy, probed.sha256, self._cache, self._audio_track):
                    return None  # decoding says that it has changed
                job = DecodeJob(
                    path=copy.path,
                    requests=tuple(ClipRequest(Grid(span), scenes, not scenes) for span in pieces),
                    transforms=FRAMES if scenes else {},
                    audio_track=self._audio_track,
                )
                found = places(self._at, self._pool.submit(job))
        except MediaError:
            return None
        said = {"sha256": probed.sha256, "places": asdict(found)}
        self._cache.put(self._key(probed), CUTS_SUFFIX, canonical_json(said))
        return found


def file_of(entry: bytes) -> str:
    """SHA-256, hex, of the file that an entry of the cache is about."""
    return str(json.loads(entry)["sha256"])
