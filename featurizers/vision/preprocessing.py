"""What happens to a frame before the encoder: a checkpoint's preprocessor_config.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from featurizers.errors import ModelUnavailable

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
BICUBIC = 3


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """A checkpoint's preprocessor_config.json, as far as it matters here.

    `shortest` is the shortest side before the centre is cut out; None: the whole picture is squashed.
    """

    shortest: int | None
    size: int
    resample: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def read(cls, config: dict[str, Any], image_size: int) -> Preprocessing:
        """What the file says; CLIP's values where it is silent or there is none.

        Raises:
            ModelUnavailable: a picture size that is not the encoder's.
        """
        resize = config.get("size") or image_size
        squash = isinstance(resize, dict) and "height" in resize
        shortest = None if squash else _side(resize)
        size = _side(
            resize
            if squash or not config.get("do_center_crop", True)
            else config.get("crop_size", image_size)
        )
        if size != image_size:
            raise ModelUnavailable(
                f"preprocessor_config.json cuts {size} pixels, the encoder wants {image_size}"
            )
        return cls(
            shortest,
            size,
            int(config.get("resample", BICUBIC)),
            tuple(config.get("image_mean", CLIP_MEAN)),
            tuple(config.get("image_std", CLIP_STD)),
        )


def _side(size: Any) -> int:
    if isinstance(size, dict):
        size = size.get("shortest_edge", size.get("height"))
    return int(size)
