"""`qformer:MODEL`: a Q-Former's queries."""

from __future__ import annotations

from featurizers.featurizer import Encoder, Kind
from featurizers.vision.qformer import QFormerFeaturizer


def _load(featurizer: QFormerFeaturizer) -> Encoder:
    from featurizers.vision.qformer_encoder import load

    return load(featurizer)


KIND = Kind(
    lambda model, given: QFormerFeaturizer(model, given.arithmetic, given.fit, prompt=given.prompt), _load
)
