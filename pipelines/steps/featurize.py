"""Encoder inputs -> features in the cache, through Beam's RunInference."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
import numpy as np
from apache_beam.ml.inference.base import RunInference

from decoders.cores import cores
from decoders.processes.process import workers_at_work
from featurizers.featurizer import Features, Featurizer
from featurizers.registry import load
from featurizers.running.failures import EncodingFailed
from featurizers.running.model_handler import FeaturizerHandler
from pipelines.metrics.profile import encoder_namespace, timed
from pipelines.metrics.progress import Progress
from pipelines.records import Rejection
from pipelines.steps.decode import EncoderInput, Outcome, Slot
from pipelines.storage.cache import Cache
from schemas.features import FLOAT16, entry_bytes, entry_suffix
from schemas.reasons import Reason, Stage


def free_cores() -> int:
    """Cores that no decoder works on: threads that fight for a core wait for one another (on two cores with a
    decoder beside it, ViT-B/32 took 10.0 s with two threads and 3.2 s with one)."""
    return max(1, cores() - workers_at_work())


Encoded = tuple[Slot, Features | EncodingFailed]


@beam.typehints.with_input_types(EncoderInput)
@beam.typehints.with_output_types(Outcome)
class Featurize(beam.PTransform):
    """(Slot, encoder input) -> Outcome a sample; the features themselves go to the cache."""

    def __init__(
        self, column: str, featurizer: Featurizer, cache: Cache, progress: Progress, store: str = FLOAT16
    ) -> None:
        super().__init__()
        self._namespace = encoder_namespace(column)
        self._handler = FeaturizerHandler(featurizer, load, free_cores, self._namespace)
        self._write = WriteFeatures(cache, progress, store, featurizer.rate is None, featurizer.asks)

    def expand(self, inputs: beam.PCollection) -> beam.PCollection:
        return (
            inputs
            | "Encode"
            >> RunInference(
                self._handler,
                metrics_namespace=self._namespace,
                model_identifier=self._handler.model_identifier,
            ).with_output_types(Encoded)
            | "Cache features" >> beam.ParDo(self._write)
        )


@beam.typehints.with_input_types(Encoded)
@beam.typehints.with_output_types(Outcome)
class WriteFeatures(beam.DoFn):
    """(Slot, Features | EncodingFailed) -> Outcome a sample.

    Rows of their own rate (`on_grid` False) are stored as they are; the grid's are spread over its steps,
    question by question where the encoder `asks`.
    """

    def __init__(
        self,
        cache: Cache,
        progress: Progress,
        store: str = FLOAT16,
        on_grid: bool = True,
        asks: bool = False,
    ) -> None:
        self._store = store
        self._cache = cache
        self._progress = progress
        self._on_grid = on_grid
        self._asks = asks

    def process(self, element: Encoded) -> Iterator[Outcome]:
        slot, made = element
        rejection = None
        if isinstance(made, EncodingFailed):
            rejection = Rejection(Stage.FEATURIZE, Reason.ENCODER_FAILED, made.detail)
        else:
            with timed("cache"):
                self._put(slot, made)
        self._progress.done(slot.seconds)
        for sample in slot.samples:
            yield sample, rejection

    def _put(self, slot: Slot, made: Features) -> None:
        array = made.array
        if self._asks:
            array = np.stack([slot.placement.spread(one) for one in array])
        elif self._on_grid:
            array = slot.placement.spread(array)
        self._cache.put(slot.key, entry_suffix(self._store), entry_bytes(array, self._store))
