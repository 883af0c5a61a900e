import apache_beam as beam
import numpy as np
import pytest
from apache_beam.ml.inference.base import RunInference
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.test_pipeline import TestPipeline as Pipeline
from apache_beam.testing.util import assert_that

from featurizers.featurizer import Features
from featurizers.registry import load, resolve
from featurizers.running.failures import EncodingFailed, encode_each
from featurizers.running.model_handler import FeaturizerHandler, shared_encoder


def frames(n, seed=0, side=48):
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), np.uint8)


@pytest.fixture
def featurizer(small_clip):
    return resolve("clip", f"clip:{small_clip}", device="cpu", dtype="float32")


def test_run_inference_keeps_keys_and_survives_one_bad_element(featurizer):
    # The first one is larger than a batch: BatchElements would emit an empty batch before it.
    items = [(f"k{n}", frames(n, seed=n)) for n in (featurizer.rows_per_call + 1, 1, 3, 20)]
    wanted = {key: load(featurizer).encode([item])[0].array for key, item in items}
    handler = FeaturizerHandler(featurizer, load)

    def check(results):
        found = dict(results)
        assert found.keys() == {*wanted, "bad"}
        assert isinstance(found["bad"], EncodingFailed)
        assert "[n, 48, 48, 3], not uint8 [2, 50, 50, 3]" in found["bad"].detail
        for key, array in wanted.items():
            assert isinstance(found[key], Features)
            np.testing.assert_array_equal(found[key].array, array)

    with Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as pipeline:
        results = (
            pipeline
            | beam.Create([*items, ("bad", frames(2, side=50))])
            | RunInference(handler, model_identifier=handler.model_identifier)
        )
        assert_that(results, check)


def test_batches_are_filled_by_rows(featurizer):
    handler = FeaturizerHandler(featurizer, load)
    limit = featurizer.rows_per_call
    sizes = [limit // 2, limit // 2, limit * 3, 1, limit - 1, 5]

    def check(batches):
        assert all(batches)
        rows = [sum(len(item) for _, item in batch) for batch in batches]
        assert sum(rows) == sum(sizes)
        assert all(count <= limit for count, batch in zip(rows, batches, strict=True) if len(batch) > 1)

    with Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as pipeline:
        batches = (
            pipeline
            | beam.Create([(str(n), frames(size, side=1)) for n, size in enumerate(sizes)])
            | beam.BatchElements(**handler.batch_elements_kwargs())
        )
        assert_that(batches, check)


def test_one_copy_of_the_weights_a_process(featurizer, small_clip):
    same = resolve("other", f"clip:{small_clip}", device="cpu", dtype="float32")
    encoder = shared_encoder(featurizer, load)
    assert shared_encoder(same, load) is encoder
    assert FeaturizerHandler(same, load).load_model().get() is encoder
    pooled = resolve("clip", f"clip:{small_clip}", device="cpu", dtype="float32", clip_tokens="cls")
    assert shared_encoder(pooled, load) is not encoder


def test_a_bug_is_not_taken_for_a_bad_input():
    class Broken:
        def encode(self, inputs):
            raise TypeError("a bug")

    with pytest.raises(TypeError):
        encode_each(Broken(), [frames(1)])
