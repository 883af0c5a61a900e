"""The reader of a corpus's arrays in lhotse: importing this registers it (docs/readers.md).

The cuts that name it are those of `favor-data index OUT --for lhotse`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from lhotse.features.io import FeaturesReader, register_reader

from loaders.extent import array, members
from loaders.storage import Storage
from schemas.features import SCALE, dequantised


@register_reader
class CorpusReader(FeaturesReader):
    """Arrays out of shards: `storage_path` is the corpus, `storage_key` "SHARD:OFFSET:SIZE" of members."""

    name = "favor_data"

    def __init__(self, storage_path: str, *_: Any, **__: Any) -> None:
        super().__init__()
        self._storage = _storage(str(storage_path))

    def read(
        self, key: str, left_offset_frames: int = 0, right_offset_frames: int | None = None
    ) -> npt.NDArray[Any]:
        """float16; sound [frames, width], everything else as it is stored."""
        shard, offset, size = key.split(":")
        found = members(self._storage.read_range(shard, int(offset), int(size)))
        [values] = [array(content) for name, content in found.items() if not name.endswith(f".{SCALE}")]
        for name, content in found.items():
            if name.endswith(f".{SCALE}"):
                values = dequantised(values, array(content))
        if values.ndim == 3 and values.shape[1] == 25:  # the 25 vectors of each step of sound, end to end
            values = values.reshape(-1, values.shape[-1])
        return np.asarray(values[left_offset_frames:right_offset_frames])


@lru_cache(maxsize=16)
def _storage(root: str) -> Storage:
    return Storage(root)
