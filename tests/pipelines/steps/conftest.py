"""One video's samples, their products in a cache, as the steps hand them on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from apache_beam.testing.test_pipeline import TestPipeline

from pipelines.placement import FramePlacement, to_bytes
from pipelines.products import PLACEMENT, Products, Stream, products_of_build
from pipelines.records import PlannedSample
from pipelines.storage.cache import Cache
from schemas.corpus import Column
from schemas.grid import Span
from schemas.media import Modality
from schemas.sample import Source
from schemas.shard import npy_bytes

SHA = "5" * 64
TestPipeline.__test__ = False  # pytest would take it for tests


def in_process() -> TestPipeline:
    """Beam's runner inside this process: the default would first look for Prism on the network."""
    return TestPipeline(runner="FnApiRunner")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(str(tmp_path / "cache"))


@pytest.fixture
def products() -> Products:
    """Of a build with one column of pictures."""
    column = Column(
        kind="clip",
        modality="video",
        model="m",
        untrained=False,
        fingerprint="f" * 64,
        weights="w",
        preprocessing="p",
        dtype="float32",
        options={},
    )
    options = {"transcribe": False, "keep": [], "decoder": "pyav", "frame_at": "center"}
    return products_of_build({"clip": column}, options)


@pytest.fixture
def planned() -> Callable[..., PlannedSample]:
    """A sample of one second; `more` replaces its attributes."""

    def make(key: str, start: int = 0, **more: Any) -> PlannedSample:
        second = 1_000_000_000
        values: dict[str, Any] = {
            "key": key,
            "id": f"{key}.mp4",
            "span": Span(start * second, (start + 1) * second),
            "media": {Modality.VIDEO: Source(f"/{key}.mp4", SHA)},
            "conversations": (),
            "metadata": {},
            "inputs": (f"/{key}.mp4",),
        }
        return PlannedSample(**values | more)

    return make


@pytest.fixture
def stored(cache: Cache, products: Products) -> Callable[..., None]:
    """Puts a sample's products into the cache; `rows`: the frame of each step, -1 for none."""

    def put(sample: PlannedSample, rows: tuple[int, ...] = (0, 1), features: bool = True) -> None:
        for product, key in products.wanted(sample):
            if product.name == PLACEMENT:
                pts = tuple(-1 if row < 0 else 500_000_000 * row for row in rows)
                cache.put(key, "json", to_bytes(FramePlacement(rows, pts)))
            elif features:
                assert product.stream is Stream.FRAMES
                cache.put(key, "npy", npy_bytes(np.full((2, 1, 4), len(sample.key), np.float16)))

    return put
