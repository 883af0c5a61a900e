"""Files -> frames and sound on the grid, decoded ahead in killable processes; each file is opened once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from decoders.processes import shared_pool
from decoders.processes.pool import DecodeTicket
from decoders.processes.worker import DecodeJob
from featurizers.featurizer import Asked
from featurizers.running import accelerators
from featurizers.running.sharing import distinct
from pipelines.build import Build
from pipelines.facts.measured import film_of, measured
from pipelines.keep import flac, jpeg
from pipelines.metrics.counters import count_isolation
from pipelines.metrics.profile import timed
from pipelines.placement import AudioPlacement, FramePlacement, Placement, to_bytes
from pipelines.products import PLACEMENT, WORDS, Product, Stream
from pipelines.records import Rejection
from pipelines.steps.probe import check_vanished, holds
from pipelines.storage.reading import Copy, changed, reading
from pipelines.tasks import Heard, Hearing, Need, Piece, Task, Tasks, hearing_of, tasks_of
from schemas.grid import Grid
from schemas.media import ClipRequest, DecodedAudio, DecodedClip, DecodedFrames
from schemas.reasons import MachineError, MediaError, Stage
from schemas.selection.signals import SIGNALS
from schemas.shard import ShardWriter
from signals.registry import frame_transforms
from storage import web

AHEAD_FILES, AHEAD_SECONDS = 64, 600  # of files fetched and given to the decoders before they are taken

OUTCOMES = "OUTCOMES"  # no column's name has capitals
Outcome = tuple[str, Rejection | None]


@dataclass(frozen=True)
class Slot:
    """Where an encoder's output goes: its cache key, and the samples that wait for it."""

    key: str
    placement: Placement
    samples: tuple[str, ...]
    seconds: float


EncoderInput = tuple[Slot, Any]  # an array, or featurizers.featurizer.Asked


@beam.typehints.with_input_types(tuple[str, Iterable[Need]])
class DecodeMedia(beam.DoFn):
    """(SHA-256, its Needs) -> OUTCOMES: Outcome a sample and stream; COLUMN: EncoderInput; WORDS: Heard.

    Placements, pictures and sound to keep go to the cache from here; features do in WriteFeatures, words in
    FindWords.
    """

    def __init__(self, build: Build) -> None:
        moving = {name: featurizer.frame_transform() for name, featurizer in build.featurizers.items()}
        still = {name: featurizer.still_transform() for name, featurizer in build.featurizers.items()}
        self._transforms = {"jpeg": jpeg, **{name: one for name, one in moving.items() if one}}
        self._still_transforms = {"jpeg": jpeg, **{name: one for name, one in still.items() if one}}
        self._measured = frame_transforms()
        self._products = build.products
        self._cache = build.cache
        self._decoder = build.decoder
        self._audio_track = build.audio_track
        self._first_channel = build.first_channel
        self._limits = build.limits
        self._progress = build.progress
        self._hosts = build.hosts

    @classmethod
    def step(cls, build: Build) -> beam.PTransform:
        """As a step of the graph: outputs named and typed, with the build's resource hints."""
        types = {OUTCOMES: Outcome, WORDS: Heard, **dict.fromkeys(build.featurizers, EncoderInput)}
        any_of_them = Outcome | EncoderInput | Heard | WindowedValue  # finish_bundle's, unopened
        return (
            beam.ParDo(cls(build))
            .with_output_types(any_of_them, **types)
            .with_resource_hints(**build.hints)
            .with_outputs(*types)
        )

    def setup(self) -> None:
        self._guard = ExitStack()
        if self._hosts is not None:
            self._guard.enter_context(web.guarded(self._hosts))
        self._pool = shared_pool.acquire(self._limits)
        self._workers = shared_pool.decode_workers()
        self._running: deque[_Running] = deque()

    def teardown(self) -> None:
        for running in self._running:  # where the job fails: copies of ours
            running.resources.close()
        shared_pool.release(self._limits)
        self._guard.close()

    def process(self, element: tuple[str, Iterable[Need]]) -> Iterator[Any]:
        """Starts this file; hands on the oldest one in work once enough run ahead of it."""
        sha256, needs = element
        for group in _still_and_moving(needs):
            hearing = hearing_of(group, self._products)
            seconds = sum(need.seconds for need in group)
            self._start(_Running(group[0].uri, sha256, tasks_of(group), hearing, seconds))
        while self._enough_ahead():
            yield from self._finish()

    def _enough_ahead(self) -> bool:
        """Short files are many ahead: while a batch of theirs is encoded the decoders must not run dry."""
        seconds = sum(running.seconds for running in self._running)
        many = len(self._running) > AHEAD_FILES or seconds > AHEAD_SECONDS
        return many and len(self._running) > self._workers

    def finish_bundle(self) -> Iterator[Any]:
        while self._running:
            for output in self._finish():
                yield _windowed(output)
        count_isolation()

    def _start(self, running: _Running) -> None:
        try:
            running.copy = running.resources.enter_context(reading(running.uri))
            if not holds(running.copy, running.sha256, self._cache, self._audio_track):
                raise changed(running.uri)
            running.ticket = self._pool.submit(self._job(running.copy.path, running.tasks, running.pieces))
        except MediaError as error:
            check_vanished(error, running.uri)
            running.failure = error
        self._running.append(running)

    def _job(self, path: str, tasks: Tasks, pieces: Mapping[Grid, Piece]) -> DecodeJob:
        grids = sorted({grid for _, grid in tasks} | set(pieces), key=lambda grid: grid.span)
        wanted = {
            product.column or product.name for task in tasks.values() for product in task.products.values()
        }
        is_image = any(stream is Stream.IMAGE for stream, _ in tasks)
        transforms = {**(self._still_transforms if is_image else self._transforms), **self._measured}
        if SIGNALS in wanted:
            wanted |= self._measured.keys()
        films = {grid for (_, grid), task in tasks.items() if any(p.full for p in task.products.values())}
        heard = {grid for (_, grid), task in tasks.items() if any(p.heard for p in task.products.values())}
        heard |= {grid for stream, grid in tasks if stream is Stream.AUDIO} | set(pieces)
        return DecodeJob(
            path=path,
            requests=tuple(
                ClipRequest(grid, (Stream.FRAMES, grid) in tasks, grid in heard, grid in films)
                for grid in grids
            ),
            transforms={name: made for name, made in transforms.items() if name in wanted},
            decoder=self._decoder,
            gpu=accelerators.own() if self._decoder == "nvdec" else 0,
            audio_track=self._audio_track,
            first_channel=self._first_channel,
            is_image=is_image,
        )

    def _finish(self) -> Iterator[Any]:
        running = self._running.popleft()
        with running.resources:
            try:
                if running.failure or running.ticket is None:
                    raise running.failure or AssertionError("a file neither started nor failed")
                while (clip := running.next_clip()) is not None:
                    yield from self._clip(running, clip)
            except MediaError as error:
                check_vanished(error, running.uri)
                rejection = Rejection(Stage.DECODE, error.reason, error.detail)
                self._progress.rejected()
                for task in running.tasks.values():
                    yield from _outcomes(task.samples, rejection)
                    self._progress.done(task.seconds)
                if hearing := running.hearing:
                    if running.ticket and running.more_than_words:
                        alone = _Running(running.uri, running.sha256, {}, hearing, hearing.seconds)
                        self._start(alone)  # pictures that fail take no words with them
                    else:
                        yield from _outcomes(hearing.samples, rejection)
                        self._progress.done(hearing.seconds)
                return
        assert not running.tasks, f"{len(running.tasks)} spans were asked of a file and not decoded"

    def _clip(self, running: _Running, clip: DecodedClip) -> Iterator[Any]:
        for stream, decoded in (
            (Stream.FRAMES, clip.frames),
            (Stream.IMAGE, clip.frames),
            (Stream.AUDIO, clip.audio),
        ):
            task = running.tasks.pop((stream, clip.grid), None)
            if task is None or decoded is None:
                continue
            key = partial(self._products.key, task.content, stream, clip.grid.span)
            self._measure(task, decoded, key, clip, stream)
            yield from self._encoder_inputs(task, decoded, key)
            yield from _outcomes(task.samples, None)
        if (piece := running.pieces.get(clip.grid)) and clip.audio:
            yield beam.pvalue.TaggedOutput(WORDS, (piece, clip.audio.waveform))

    def _encoder_inputs(self, task: Task, decoded: DecodedFrames | DecodedAudio, key: Any) -> Iterator[Any]:
        placement = (
            FramePlacement.of(decoded) if isinstance(decoded, DecodedFrames) else AudioPlacement.of(decoded)
        )
        columns = sorted(
            (product for product in task.products.values() if product.column),
            key=lambda product: (product.name, product.fingerprint),
        )
        if any(placement.mask):
            with timed("keep"):
                self._keep(task, decoded, key)
            for product in columns:
                seconds = task.seconds / len(columns)
                placed, inputs = _encoder_input(decoded, placement, product)
                yield beam.pvalue.TaggedOutput(
                    str(product.column), (Slot(key(product), placed, tuple(task.samples), seconds), inputs)
                )
        if not columns or not any(placement.mask):
            self._progress.done(task.seconds)
        if lies := task.products.get(PLACEMENT):
            self._cache.put(key(lies), lies.suffix, to_bytes(placement))

    def _measure(
        self, task: Task, decoded: DecodedFrames | DecodedAudio, key: Any, clip: DecodedClip, stream: Stream
    ) -> None:
        for product in task.products.values():
            if product.name == SIGNALS and decoded.mask.any():
                with timed("signals"):
                    film = film_of(clip, product.heard)
                    entry = measured(decoded, clip.span.start_ns, stream is Stream.IMAGE, film)
                self._cache.put(key(product), product.suffix, entry)

    def _keep(self, task: Task, decoded: DecodedFrames | DecodedAudio, key: Any) -> None:
        if (product := task.products.get("jpeg")) and isinstance(decoded, DecodedFrames):
            buffer = BytesIO()
            writer = ShardWriter(buffer)
            writer.add(
                "frames", ((f"{row}.jpg", bytes(file)) for row, file in enumerate(decoded.prepared["jpeg"]))
            )
            writer.finish()
            self._cache.put(key(product), product.suffix, buffer.getvalue())
        if (product := task.products.get("flac")) and isinstance(decoded, DecodedAudio):
            self._cache.put(key(product), product.suffix, flac(decoded.waveform))


@dataclass
class _Running:
    """One file in work."""

    uri: str
    sha256: str
    tasks: Tasks
    hearing: Hearing | None
    seconds: float
    resources: ExitStack = field(default_factory=ExitStack)
    copy: Copy | None = None
    ticket: DecodeTicket | None = None
    failure: MediaError | None = None

    def __post_init__(self) -> None:
        self.more_than_words = bool(self.tasks)
        grids = self.hearing.pieces if self.hearing else ()
        self.pieces = {grid: Piece(self.hearing, at) for at, grid in enumerate(grids) if self.hearing}

    def next_clip(self) -> DecodedClip | None:
        """Of the file as it was probed: it must not have changed up to here. Time spent in waiting is time in
        which the encoders starve.

        Raises:
            MediaError, MachineError, StorageError.
        """
        assert self.ticket is not None
        assert self.copy is not None
        with timed("wait for decoder"):
            try:
                clip = next(self.ticket, None)
            except (MediaError, MachineError):
                self.copy.blame()
                raise
        self.copy.check()
        return clip


def _still_and_moving(needs: Iterable[Need]) -> list[list[Need]]:
    """An animated GIF may be wanted as a picture by one row and as a video by another: two decoders' work."""
    needs = list(needs)
    still = [need for need in needs if need.stream is Stream.IMAGE]
    moving = [need for need in needs if need.stream is not Stream.IMAGE]
    return [group for group in (still, moving) if group]


def _encoder_input(
    decoded: DecodedFrames | DecodedAudio, placement: Placement, product: Product
) -> tuple[Placement, npt.NDArray[Any] | Asked]:
    """Frames that are the same once they are prepared (slides) are handed on, and encoded, once."""
    if isinstance(decoded, DecodedAudio):
        return placement, decoded.waveform
    assert isinstance(placement, FramePlacement)
    frames = np.asarray(decoded.prepared[str(product.column)])
    firsts, numbers = distinct(list(frames))
    if len(firsts) < len(frames):
        placement, frames = placement.renumbered(numbers), frames[firsts]
    return placement, Asked(frames, product.questions) if product.asks else frames


def _outcomes(samples: Iterable[str], rejection: Rejection | None) -> Iterator[Any]:
    """Of every sample that wanted this."""
    for sample in samples:
        yield beam.pvalue.TaggedOutput(OUTCOMES, (sample, rejection))


def _windowed(output: Any) -> Any:
    """finish_bundle must name the window itself; a batch job has one."""
    window = GlobalWindow()
    return beam.pvalue.TaggedOutput(output.tag, WindowedValue(output.value, window.max_timestamp(), [window]))
