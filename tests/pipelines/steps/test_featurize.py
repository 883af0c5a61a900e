import apache_beam as beam
import numpy as np
from apache_beam.testing.util import assert_that, equal_to

from featurizers.featurizer import Features
from featurizers.registry import load, resolve
from featurizers.running.failures import EncodingFailed
from pipelines.metrics.progress import Progress
from pipelines.placement import AudioPlacement, FramePlacement
from pipelines.records import Rejection
from pipelines.steps.decode import Slot
from pipelines.steps.featurize import Featurize, WriteFeatures
from pipelines.storage.cache import Cache
from schemas.reasons import Reason, Stage
from schemas.shard import npy_array

from .conftest import in_process


def test_features_of_a_span_lie_in_the_cache_step_by_step(clip: str, cache: Cache) -> None:
    featurizer = resolve("clip", f"clip:{clip}", dtype="float32")
    frames = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    slot = Slot("ab", FramePlacement((1, -1, 0), (9, -1, 5)), ("one", "two"), 1.5)
    with in_process() as pipeline:
        outcomes = (
            pipeline | beam.Create([(slot, frames)]) | Featurize("clip", featurizer, cache, Progress(None))
        )
        assert_that(outcomes, equal_to([("one", None), ("two", None)]))
    stored = npy_array(cache.get("ab", "npy"))
    [made] = load(featurizer).encode([frames])
    assert np.array_equal(stored[[0, 2]], made.array[[1, 0]])
    assert not stored[1].any()
    assert made.array.any()


def test_what_an_encoder_could_not_do_is_the_samples_outcome(cache: Cache) -> None:
    good, bad = (
        Slot(key, AudioPlacement([1]), (sample,), 0.5) for key, sample in (("aa", "good"), ("bb", "bad"))
    )
    made = Features(np.ones((1, 25, 2), np.float16))
    with in_process() as pipeline:
        outcomes = (
            pipeline
            | beam.Create([(good, made), (bad, EncodingFailed("out of memory"))])
            | beam.ParDo(WriteFeatures(cache, Progress(None)))
        )
        rejection = Rejection(Stage.FEATURIZE, Reason.ENCODER_FAILED, "out of memory")
        assert_that(outcomes, equal_to([("good", None), ("bad", rejection)]))
    assert cache.has("aa", "npy")
    assert not cache.has("bb", "npy")
