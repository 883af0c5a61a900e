"""Every file is read once before anything is planned: its digest, and what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import apache_beam as beam
from pydantic import TypeAdapter

from decoders.limits import Limits
from decoders.processes.pool import DecoderPool
from pipelines.metrics.counters import count_isolation
from pipelines.metrics.profile import timed
from pipelines.metrics.progress import Progress
from pipelines.products import PROBE_VERSION
from pipelines.records import Probed, Rejection
from pipelines.storage import fetch
from pipelines.storage.cache import Cache, memo_key
from schemas.digest import canonical_json
from schemas.manifest import InputRow
from schemas.reasons import MediaError, Stage
from storage import web

MEMO_SUFFIX = "probe"
_PROBED = TypeAdapter(Probed)
ProbedUri = tuple[str, Probed | Rejection]


def read_memo(entry: bytes) -> Probed:
    """What a memo of the cache says."""
    return _PROBED.validate_json(entry)


@beam.typehints.with_input_types(InputRow)
@beam.typehints.with_output_types(ProbedUri)
class ProbeMedia(beam.PTransform):
    """InputRow -> (uri, Probed | Rejection), one a file however many rows name it."""

    def __init__(
        self,
        cache: Cache,
        limits: Limits,
        audio_track: str = "",
        hosts: frozenset[str] | None = None,
        progress: Progress | None = None,
    ) -> None:
        super().__init__()
        self._probe = _Probe(cache, limits, audio_track, hosts, progress or Progress(None))

    def expand(self, rows: beam.PCollection) -> beam.PCollection:
        return (
            rows
            | "Uris" >> beam.FlatMap(lambda row: row.uris).with_output_types(str)
            | "Each once" >> beam.Distinct()
            | "Spread" >> beam.Reshuffle()
            | "Probe" >> beam.ParDo(self._probe)
        )


@beam.typehints.with_input_types(str)
@beam.typehints.with_output_types(ProbedUri)
class _Probe(beam.DoFn):
    """A memo of (uri, version) -> Probed keeps a second build from reading what did not change."""

    def __init__(
        self,
        cache: Cache,
        limits: Limits,
        audio_track: str,
        hosts: frozenset[str] | None,
        progress: Progress,
    ) -> None:
        self._cache = cache
        self._limits = limits
        self._audio_track = audio_track
        self._hosts = hosts
        self._progress = progress

    def setup(self) -> None:
        self._guard = ExitStack()
        if self._hosts is not None:
            self._guard.enter_context(web.guarded(self._hosts))
        self._pool: DecoderPool | None = None

    def finish_bundle(self) -> None:
        count_isolation()

    def teardown(self) -> None:
        if self._pool:
            self._pool.close()
        self._guard.close()

    def process(self, uri: str) -> Iterator[ProbedUri]:
        try:
            memo = memo_key(uri, f"{PROBE_VERSION}{self._audio_track} {fetch.version(uri)}")
            known = self._cache.find(memo, MEMO_SUFFIX)
            if known is None:
                probed = self._read(uri)
                self._cache.put(memo, MEMO_SUFFIX, canonical_json(asdict(probed)))
            else:
                probed = read_memo(known)
        except MediaError as error:
            self._progress.rejected()
            yield uri, Rejection(Stage.PROBE, error.reason, error.detail)
        else:
            yield uri, probed

    def _read(self, uri: str) -> Probed:
        self._pool = self._pool or DecoderPool(1, self._limits)
        with timed("probe"), fetch.local_copy(uri) as path:
            return Probed(
                fetch.sha256(path), self._pool.probe(path, self._audio_track), Path(path).stat().st_size
            )
