import apache_beam as beam
import numpy as np
import pytest
from apache_beam.ml.inference.base import RunInference
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that

from featurizers.featurizer import Features
from featurizers.model_handler import EncodingFailed, FeaturizerHandler, shared_encoder
from featurizers.resolve import resolve


def frames(n, seed=0, side=224):
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), np.uint8)


@pytest.fixture(scope="module")
def featurizer():
    return resolve("clip", "clip:random:vit-b-32", device="cpu", dtype="float32", clip_tokens="cls")


def test_run_inference_keeps_keys_and_survives_one_bad_element(featurizer):
    items = [(f"k{n}", frames(n, seed=n)) for n in (1, 3, 20)]
    wanted = {key: shared_encoder(featurizer).encode([item])[0].array for key, item in items}
    bad = ("bad", frames(2, side=100))
    # Larger than a batch: BatchElements would emit an empty batch before it.
    large = ("large", np.repeat(frames(1), featurizer.rows_per_call + 1, axis=0))
    handler = FeaturizerHandler(featurizer)

    def check(results):
        found = dict(results)
        assert found.keys() == {*wanted, "bad", "large"}
        for key, array in wanted.items():
            assert isinstance(found[key], Features)
            np.testing.assert_array_equal(found[key].array, array)
        assert isinstance(found["bad"], EncodingFailed)
        assert "uint8 [n, 224, 224, 3]" in found["bad"].detail
        assert found["large"].array.shape == (featurizer.rows_per_call + 1, 1, 768)

    with TestPipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as pipeline:
        results = (
            pipeline
            | beam.Create([large, *items, bad])
            | RunInference(handler, model_identifier=handler.model_identifier)
        )
        assert_that(results, check)
