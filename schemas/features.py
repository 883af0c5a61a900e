"""What names a column of features: the encoder's fingerprint, and the cache key of one computed array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from schemas.digest import digest
from schemas.grid import Grid


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
