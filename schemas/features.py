"""A column of features: the encoder's fingerprint, the cache key of one array, and how arrays are stored:
float16 as they are, or int8 with a scale a token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.digest import digest
from schemas.grid import Grid
from schemas.shard import ShardWriter, npy_bytes

FLOAT16, INT8 = "float16", "int8"
STORES = (FLOAT16, INT8)
SCALE = "scale.npy"  # KEY.COLUMN.scale.npy, float32 [..., 1], beside int8 [..., width]
_LARGEST = 127


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Everything that can change a feature's bytes.

    Attributes:
        kind: the featurizer ("whisper", "clip").
        weights: SHA-256 of the weights.
        preprocessing: name and version of what happens before the encoder ("clip-crop-1").
        dtype: the arithmetic ("float32", "bfloat16", "float16").
        options: what else shapes the output ({"tokens": "patch"}).
    """

    kind: str
    weights: str
    preprocessing: str
    dtype: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256, hex."""
        return digest(asdict(self))


@dataclass(frozen=True, slots=True)
class Rate:
    """When the rows of a column lie that are not the grid's steps: row i of a sample covers
    [i `every_ns`, i `every_ns` + `length_ns`) from its span's start on."""

    every_ns: int
    length_ns: int

    def options(self) -> dict[str, int]:
        """As a fingerprint's options, and so corpus.json, have it."""
        return asdict(self)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Rate | None:
        """Inverse of `options`; None: the column's rows are the grid's steps."""
        return cls(options["every_ns"], options["length_ns"]) if "every_ns" in options else None


def cache_key(source: str, stream: str, grid: Grid | None, fingerprint: str) -> str:
    """SHA-256, hex, of one span (None: the whole) of one stream of one file under one featurizer.

    Args:
        source: SHA-256 of the file's bytes (a renamed file hits, an edited one misses).
        stream: "frames", "audio" or "image".
        fingerprint: digest of a Fingerprint, or of whatever else makes the bytes.
    """
    return digest(
        {
            "source": source,
            "stream": stream,
            "span": [grid.span.start_ns, grid.span.end_ns] if grid else None,
            "frame_at": grid.frame_at.rule if grid and stream == "frames" else None,
            "fingerprint": fingerprint,
        }
    )


def quantised(array: npt.NDArray[np.float16]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """int8 [..., width] and float32 [..., 1], whose product is near `array`: the largest number of every
    vector becomes 127 or -127, zeros stay zeros."""
    values = array.astype(np.float32)
    scale = np.abs(values).max(axis=-1, keepdims=True, initial=0) / np.float32(_LARGEST)
    steps = np.rint(values / np.where(scale, scale, 1))
    return steps.astype(np.int8), scale.astype(np.float32)


def dequantised(steps: npt.NDArray[np.int8], scale: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    """Inverse of `quantised`, nearly: float16 [..., width]."""
    return (steps * scale).astype(np.float16)


def entry_suffix(store: str) -> str:
    """Of a cache entry."""
    return "npy" if store == FLOAT16 else store


def entry_bytes(array: npt.NDArray[np.float16], store: str) -> bytes:
    """The cache entry of a column's features: the .npy itself, or the members of a tar."""
    if store == FLOAT16:
        return npy_bytes(array)
    steps, scale = quantised(array)
    return _packed([("npy", npy_bytes(steps)), (SCALE, npy_bytes(scale))])


def entry_of(members: Mapping[str, bytes]) -> bytes:
    """The cache entry, from the members that a shard holds of it (`COLUMN.npy`, for int8 its scale too)."""
    if len(members) == 1:
        return next(iter(members.values()))
    return _packed((name.partition(".")[2], content) for name, content in members.items())


def _packed(members: Iterable[tuple[str, bytes]]) -> bytes:
    stream = BytesIO()
    ShardWriter(stream).add("entry", members)
    return stream.getvalue()


def store_of(options: dict[str, Any]) -> str:
    """Of a column's options (schemas.corpus.Column)."""
    return str(options.get("store", FLOAT16))
