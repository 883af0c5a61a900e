"""`siglip:MODEL`: SigLIP's vision tower."""

from featurizers.kinds.vision import of_pictures
from featurizers.vision.siglip import SiglipFeaturizer

KIND = of_pictures(SiglipFeaturizer)
