"""`beats:MODEL`: BEATs."""

from __future__ import annotations

from featurizers.audio.beats import BeatsFeaturizer
from featurizers.featurizer import Encoder, Kind


def _load(featurizer: BeatsFeaturizer) -> Encoder:
    from featurizers.audio.beats_encoder import load

    return load(featurizer)


KIND = Kind(lambda model, given: BeatsFeaturizer(model, given.arithmetic, given.audio_tail), _load)
