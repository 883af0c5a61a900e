"""`whisper:MODEL`: Whisper's encoder."""

from __future__ import annotations

from featurizers.featurizer import Encoder, Kind
from featurizers.whisper.description import WhisperFeaturizer


def _load(featurizer: WhisperFeaturizer) -> Encoder:
    from featurizers.whisper.encoder import load

    return load(featurizer)


KIND = Kind(lambda model, given: WhisperFeaturizer(model, given.arithmetic, given.audio_tail), _load)
