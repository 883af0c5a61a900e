"""`audio:MODEL`: Hugging Face's models of sound."""

from __future__ import annotations

from featurizers.audio.hugging_face import HuggingFaceAudioFeaturizer
from featurizers.featurizer import Encoder, Kind


def _load(featurizer: HuggingFaceAudioFeaturizer) -> Encoder:
    from featurizers.audio.hugging_face_encoder import load

    return load(featurizer)


KIND = Kind(lambda model, given: HuggingFaceAudioFeaturizer(model, given.arithmetic), _load)
