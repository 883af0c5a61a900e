"""`prompted:MODEL`: InstructBLIP's Q-Former, prompted by each sample's questions."""

from __future__ import annotations

from featurizers.featurizer import Encoder, Kind
from featurizers.vision.qformer import PromptedFeaturizer


def _load(featurizer: PromptedFeaturizer) -> Encoder:
    from featurizers.vision.qformer_encoder import load_prompted

    return load_prompted(featurizer)


KIND = Kind(
    lambda model, given: PromptedFeaturizer(model, given.arithmetic, given.fit, prompt=given.prompt), _load
)
