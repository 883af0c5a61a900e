"""`eva:MODEL`: EVA-CLIP as BLIP-2 and InstructBLIP have it."""

from featurizers.kinds.vision import of_pictures
from featurizers.vision.qformer import EvaFeaturizer

KIND = of_pictures(EvaFeaturizer)
