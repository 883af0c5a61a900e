"""`clip:MODEL`: CLIP's vision tower."""

from featurizers.kinds.vision import of_pictures
from featurizers.vision.clip import ClipFeaturizer

KIND = of_pictures(ClipFeaturizer)
