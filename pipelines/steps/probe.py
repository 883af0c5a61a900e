"""Every file is read once before anything is planned: its digest, and what it holds."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue
from pydantic import TypeAdapter

from decoders.cores import cores
from decoders.limits import Limits
from decoders.processes import shared_pool
from pipelines.errors import StorageError
from pipelines.metrics.counters import count_isolation
from pipelines.metrics.profile import timed
from pipelines.metrics.progress import Progress
from pipelines.products import PROBE_VERSION
from pipelines.records import Probed, Rejection
from pipelines.storage import fetch
from pipelines.storage.cache import Cache, memo_key
from pipelines.storage.reading import Copy, changed, reading, stamp_of
from schemas.digest import canonical_json
from schemas.manifest import InputRow
from schemas.media import MediaInfo
from schemas.reasons import MachineError, MediaError, Reason, Stage
from storage import web

MEMO_SUFFIX, STAMP = "probe", "stamp"
AHEAD = 4  # files begun a core before the first of them is waited for
_PROBED = TypeAdapter(Probed)
Listed = tuple[str, str]  # a uri, and InputRow.versions' of it
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
            | "Uris" >> beam.FlatMap(_uris).with_output_types(Listed)
            | "Each once" >> beam.Distinct()
            | "Spread" >> beam.Reshuffle()
            | "Probe" >> beam.ParDo(self._probe)
        )


def _uris(row: InputRow) -> list[Listed]:
    return list(zip(row.uris, row.versions or len(row.uris) * [""], strict=True))


@beam.typehints.with_input_types(Listed)
@beam.typehints.with_output_types(ProbedUri)
class _Probe(beam.DoFn):
    """A memo of (uri, version) -> Probed keeps a second build from reading what did not change.

    Files are read side by side, one a core: a digest keeps a core at 1.4 GB/s.
    """

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
        self._pool = shared_pool.acquire(self._limits)
        self._workers = cores()
        self._threads = ThreadPoolExecutor(self._workers, "probe")
        self._begun: deque[Future[ProbedUri]] = deque()

    def start_bundle(self) -> None:
        self._begun.clear()  # of a bundle that failed

    def process(self, element: Listed) -> Iterator[ProbedUri]:
        self._begun.append(self._threads.submit(self._found, *element))
        if len(self._begun) > AHEAD * self._workers:
            yield self._first()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        while self._begun:
            yield GlobalWindows.windowed_value_at_end_of_window(self._first())
        count_isolation()

    def teardown(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        shared_pool.release(self._limits)
        self._guard.close()

    def _first(self) -> ProbedUri:
        """Of those that were begun; what it counts, it counts for this bundle."""
        with timed("probe"):
            uri, found = self._begun.popleft().result()
        if isinstance(found, Rejection):
            self._progress.rejected()
        return uri, found

    def _found(self, uri: str, listed: str) -> ProbedUri:
        try:
            version = fetch.version(uri)
            if listed not in ("", version, stamp_of(uri), *Reason):
                raise changed(uri)
            return uri, self._known(uri, version) or self._read(uri, version)
        except MediaError as error:
            check_vanished(error, uri, listed)
            return uri, Rejection(Stage.PROBE, error.reason, error.detail)

    def _known(self, uri: str, version: str) -> Probed | None:
        memo = self._cache.find(_memo(uri, version, self._audio_track), MEMO_SUFFIX)
        if memo is None or (stamp := stamp_of(uri)) != json.loads(memo).get(STAMP, stamp):
            return None
        return read_memo(memo)

    def _read(self, uri: str, version: str) -> Probed:
        with reading(uri, version) as copy:
            probed = Probed(copy.sha256(), self._info(copy), Path(copy.path).stat().st_size)
            said = {name: value for name, value in asdict(probed).items() if name != "places"}
            memo = canonical_json({**said, STAMP: copy.stamp})
            self._cache.put(_memo(uri, version, self._audio_track), MEMO_SUFFIX, memo)
            return probed

    def _info(self, copy: Copy) -> MediaInfo:
        try:
            info = self._pool.probe(copy.path, self._audio_track)
        except (MediaError, MachineError):
            copy.blame()
            raise
        copy.check()
        return info


def _memo(uri: str, version: str, audio_track: str) -> str:
    return memo_key(uri, f"{PROBE_VERSION}{audio_track} {version}")


def holds(copy: Copy, sha256: str, cache: Cache, audio_track: str) -> bool:
    """Whether these are the bytes that were probed: by the probe's memo, or else by reading them."""
    if copy.stamp and (memo := cache.find(_memo(copy.uri, copy.version, audio_track), MEMO_SUFFIX)):
        known = json.loads(memo)
        if known.get(STAMP) == copy.stamp:
            return bool(known["sha256"] == sha256)
    return copy.sha256() == sha256


def check_vanished(error: MediaError, uri: str, listed: str = "") -> None:
    """Raises:
    StorageError: of a file that was there, its whole folder is gone.
    """
    if error.reason == Reason.NOT_FOUND != listed and fetch.vanished(uri):
        raise StorageError(
            f"{uri}: its folder was there and is not any more: is its disk mounted?"
        ) from error
