"""`vision:MODEL`: Hugging Face's models of pictures."""

from __future__ import annotations

from featurizers.featurizer import Encoder, Kind
from featurizers.vision.description import VisionFeaturizer
from featurizers.vision.hugging_face import HuggingFaceVisionFeaturizer
from featurizers.vision.tokens import Tokens


def _load(featurizer: VisionFeaturizer) -> Encoder:
    from featurizers.vision.encoder import load

    return load(featurizer)


def of_pictures(described: type[VisionFeaturizer]) -> Kind:
    """A kind whose towers give a token a patch."""
    return Kind(
        lambda model, given: described(model, given.arithmetic, given.fit, Tokens.parse(given.clip_tokens)),
        _load,
    )


KIND = of_pictures(HuggingFaceVisionFeaturizer)
