"""One video's samples, their products in a cache, as the steps hand them on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from apache_beam.testing.test_pipeline import TestPipeline

from pipelines.members import Members
from pipelines.placement import FramePlacement, to_bytes
from pipelines.products import PLACEMENT, Products, Stream, products_of_build
from pipelines.records import Fresh, PlannedSample, RowSays
from pipelines.states.parts import TALKS_OF
from pipelines.storage.cache import Cache
from schemas.corpus import Column
from schemas.grid import Span
from schemas.media import Modality
from schemas.rows import Row
from schemas.sample import Source
from schemas.shard import npy_bytes
from schemas.state import ANNOTATIONS, BASE

SHA = "5" * 64
LAYERS = {BASE: ["clip"], ANNOTATIONS: []}
TestPipeline.__test__ = False  # pytest would take it for tests


def in_process() -> TestPipeline:
    """Beam's runner inside this process: the default would first look for Prism on the network."""
    return TestPipeline(runner="FnApiRunner")


def fresh(sample: PlannedSample) -> Fresh:
    """All of it is to be made."""
    return Fresh(sample, frozenset(LAYERS))


@pytest.fixture
def ledger_row() -> Callable[..., Row]:
    def make(name: str, *keys: str) -> Row:
        nothing = dict.fromkeys(("stage", "reason", "detail"))
        made: Row = {"input": name, "id": name, "uris": [name], "signature": "s", "status": "done", **nothing}
        return made | {"keys": list(keys), "outcomes": [], "remarks": []}

    return make


@pytest.fixture
def index_row(members: Members) -> Callable[..., Row]:
    """Of a sample that lies in a shard as a build with these members would write it."""

    def make(sample: PlannedSample, shard: str = "shards/000000.tar", offset: int = 0) -> Row:
        layers = [layer for layer in members.layers if layer != BASE]
        extent: Row = {"shard": shard, "offset": offset, "size": 512, "sha256": "x"}
        uris = {name: None for name in ("video", "audio", "image")}
        return {
            **{"key": sample.key, "id": sample.id, **extent, "content": members.content(sample, BASE)},
            "columns": [{"column": n, **extent, "content": members.content(sample, n)} for n in layers],
            **{"features": [], "members": "clip.npy", "record": 2, "head": 512, "steps": 2},
            **{"start_ns": sample.span.start_ns, "end_ns": sample.span.end_ns},
            **{"audio_steps": 0, "visual_steps": 2, "conversations": 0, "modalities": ["video"]},
            "uris": {**uris, **{str(m): source.uri for m, source in sample.media.items()}},
            "digests": {**uris, **{str(m): source.sha256 for m, source in sample.media.items()}},
            **{"metadata": sample.annotations()["metadata"], TALKS_OF: sample.talks()},
        }

    return make


@pytest.fixture
def members(tmp_path: Path, products: Products, cache: Cache) -> Members:
    return Members(str(tmp_path / "out"), products, cache, {"clip": "f" * 64}, LAYERS)


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
            "rows": (RowSays(f"/{key}.mp4", f"{key}.mp4", (), more.pop("metadata", {})),),
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
