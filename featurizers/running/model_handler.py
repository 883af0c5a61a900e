"""Any featurizer as a Beam ModelHandler: the one place where the two meet."""

from __future__ import annotations

import dataclasses
import functools
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy.typing as npt
from apache_beam.metrics import Metrics
from apache_beam.ml.inference.base import ModelHandler

from featurizers.featurizer import Encoder, Features, Featurizer
from featurizers.running import accelerators
from featurizers.running.failures import EncodingFailed, encode_each
from featurizers.running.sharing import LOAD_METRIC, THREADS

Item = tuple[Any, npt.NDArray[Any]]  # any key; it comes back as it is
Load = Callable[[Featurizer], Encoder]


class OnFirstUse:
    """An encoder whose weights are read when the first input comes: what is all in the cache needs none."""

    def __init__(self, featurizer: Featurizer, load: Load, load_seconds: Callable[[float], None]) -> None:
        self._featurizer = featurizer
        self._load = load
        self._load_seconds = load_seconds
        self._encoder: Encoder | None = None

    def get(self) -> Encoder:
        """Raises ModelUnavailable."""
        if self._encoder is None:
            start = time.perf_counter()
            self._encoder = shared_encoder(self._featurizer, self._load)
            self._load_seconds(time.perf_counter() - start)
        return self._encoder


class FeaturizerHandler(ModelHandler[Item, tuple[Any, Features | EncodingFailed], OnFirstUse]):
    """(key, input array) -> (key, Features | EncodingFailed).

    Takes keyed elements itself: behind KeyedModelHandler, `element_size_fn` would be handed the key too,
    and the empty batches that BatchElements emits before an element larger than a batch would crash it.

        RunInference(handler, model_identifier=handler.model_identifier)
    """

    def __init__(
        self,
        featurizer: Featurizer,
        load: Load,
        threads: Callable[[], int] | None = None,
        namespace: str | None = None,
    ) -> None:
        """`load`: the registry's; `threads`: see THREADS; `namespace`: of the counter LOAD_METRIC."""
        self.featurizer = featurizer
        self._load = load
        self._namespace = namespace or f"featurizer_{featurizer.modality}"
        self._threads = threads
        self.model_identifier = featurizer.fingerprint().digest
        limit = featurizer.rows_per_call
        super().__init__(
            # Not max_batch_weight: BatchElements does not know it (Beam 2.77).
            min_batch_size=limit,
            max_batch_size=limit,
            element_size_fn=functools.partial(_weight, featurizer),
        )

    def load_model(self) -> OnFirstUse:
        return OnFirstUse(self.featurizer, self._load, self._count_load)

    def _count_load(self, seconds: float) -> None:
        Metrics.counter(self._namespace, LOAD_METRIC).inc(round(1e6 * seconds))

    def run_inference(
        self,
        batch: Sequence[Item],
        model: OnFirstUse,
        inference_args: Mapping[str, Any] | None = None,
    ) -> list[tuple[Any, Features | EncodingFailed]]:
        """A list, in order. A batch that fails is tried again input by input; raises MachineError."""
        keys = [key for key, _ in batch]
        inputs = [item for _, item in batch]
        encoder = model.get()
        token = THREADS.set(self._threads)
        try:
            return list(zip(keys, encode_each(encoder, inputs), strict=True))
        finally:
            THREADS.reset(token)

    def get_num_bytes(self, batch: Sequence[Item]) -> int:
        return sum(item.nbytes for _, item in batch)

    def get_metrics_namespace(self) -> str:
        return self._namespace


def _weight(featurizer: Featurizer, element: Item) -> int:
    # Never more than a batch holds: BatchElements would emit an empty batch first.
    return max(1, min(featurizer.rows(element[1]), featurizer.rows_per_call))


_encoders: weakref.WeakValueDictionary[tuple[str, str], Encoder] = weakref.WeakValueDictionary()
_loading = threading.Lock()


def shared_encoder(featurizer: Featurizer, load: Load) -> Encoder:
    """The process's one copy of these weights, on its own GPU if it is to be one; loaded if nobody holds it.

    Beam's `Shared` is a handle a DoFn, so two steps or two pipelines would each load their own.
    """
    with _loading:
        name = (featurizer.fingerprint().digest, repr(featurizer))
        encoder = _encoders.get(name)
        if encoder is None:
            encoder = load(_on_own_gpu(featurizer))
            _encoders[name] = encoder
        return encoder


def _on_own_gpu(featurizer: Featurizer) -> Featurizer:
    if featurizer.arithmetic.device != "cuda":
        return featurizer
    device = f"cuda:{accelerators.own()}"
    return dataclasses.replace(
        featurizer, arithmetic=dataclasses.replace(featurizer.arithmetic, device=device)
    )
