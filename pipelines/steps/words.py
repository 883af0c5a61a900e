"""The sound of whole files -> their words in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from featurizers.registry import load, load_transcriber
from featurizers.running.failures import EXPECTED, failed
from featurizers.running.model_handler import shared_encoder
from featurizers.running.sharing import THREADS
from featurizers.whisper.description import Transcription
from pipelines.build import Build
from pipelines.metrics.counters import EXTRA_WINDOWS, count
from pipelines.metrics.profile import timed
from pipelines.products import WORDS
from pipelines.records import Rejection
from pipelines.steps.decode import Outcome
from pipelines.steps.featurize import free_cores
from pipelines.tasks import Heard, Piece
from schemas.reasons import Reason, Stage

if TYPE_CHECKING:
    from featurizers.whisper.transcribe import Listener, Transcriber

Waveform = npt.NDArray[np.float32]


@beam.typehints.with_input_types(Heard)
class FindWords(beam.DoFn):
    """(Piece, waveform) -> Outcome a sample that waits for the file's words, once its last piece is heard.

    The pieces of a file come in order and in one bundle: one call of Decode gives them, and a stage that is
    fused keeps them so. A file of which Decode could not give all is left unfinished; Decode says why.
    """

    def __init__(self, build: Build, transcription: Transcription) -> None:
        self._transcription = transcription
        self._cache = build.cache
        self._progress = build.progress

    @classmethod
    def step(cls, build: Build, transcription: Transcription) -> beam.PTransform:
        """As a step of the graph, typed, with the build's resource hints."""
        found = beam.ParDo(cls(build, transcription)).with_output_types(Outcome)
        return found.with_resource_hints(**build.hints)

    def setup(self) -> None:
        self._loaded: Transcriber | None = None

    def start_bundle(self) -> None:
        self._held: list[Heard] = []
        self._listeners: dict[str, tuple[Listener, int]] = {}  # and the number of the next piece

    def process(self, element: Heard) -> Iterator[Outcome]:
        """Pieces are held until the first windows of their files fill a batch of the encoder."""
        self._held.append(element)
        if len(self._held) >= self._transcriber().encoder.batches.size:
            yield from self._hear_held()

    def finish_bundle(self) -> Iterator[Any]:
        window = GlobalWindow()
        for outcome in self._hear_held():
            yield WindowedValue(outcome, window.max_timestamp(), [window])

    def _transcriber(self) -> Transcriber:
        """Its weights are read when the first sound comes."""
        if self._loaded is None:
            with timed(f"load {WORDS}"):
                encoder = shared_encoder(self._transcription.featurizer, load)
                self._loaded = load_transcriber(self._transcription, encoder)
        return self._loaded

    def _hear_held(self) -> Iterator[Outcome]:
        held, self._held = self._held, []
        with _counted():
            firsts = [waveform for piece, waveform in held if piece.number == 0 and waveform.any()]
            if len(firsts) > 1:
                self._transcriber().encoder.remember(firsts)
        for piece, waveform in held:
            with _counted():
                done, rejection = self._hear(piece, waveform)
            if done:
                self._progress.done(piece.hearing.seconds)
                yield from ((sample, rejection) for sample in piece.hearing.samples)

    def _hear(self, piece: Piece, waveform: Waveform) -> tuple[bool, Rejection | None]:
        """Whether the file is done, and why without words."""
        key = piece.hearing.key
        if piece.number == 0:
            self._listeners[key] = self._transcriber().listener(), 0
        if key not in self._listeners:
            return False, None  # it has failed
        listener, expected = self._listeners.pop(key)
        if piece.number != expected:
            raise AssertionError(f"piece {piece.number} of a file came where {expected} was due")
        try:
            listener.hear(waveform)
            if not piece.last:
                self._listeners[key] = listener, expected + 1
                return False, None
            transcript = listener.finish()
        except EXPECTED as error:
            detail = failed(error, self._transcriber().encoder, waveform).detail
            return True, Rejection(Stage.FEATURIZE, Reason.ENCODER_FAILED, detail)
        count(EXTRA_WINDOWS, transcript.extra_windows)
        self._cache.put(key, WORDS, transcript.to_bytes())
        return True, None


@contextmanager
def _counted() -> Iterator[None]:
    token = THREADS.set(free_cores)
    try:
        with timed(WORDS):
            yield
    finally:
        THREADS.reset(token)
