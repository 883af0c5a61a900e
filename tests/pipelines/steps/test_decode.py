import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.testing.util import assert_that, equal_to

from decoders.limits import Limits
from featurizers.registry import resolve
from pipelines.metrics.progress import Progress
from pipelines.products import PLACEMENT, Products, Stream
from pipelines.records import Rejection
from pipelines.steps.decode import OUTCOMES, DecodeMedia, Slot
from pipelines.storage.cache import Cache
from pipelines.tasks import Need
from schemas.grid import Grid, Span
from schemas.reasons import Reason, Stage

from .conftest import in_process

SECOND = 1_000_000_000


def test_a_file_gives_its_spans_frames_and_a_broken_one_an_outcome(
    media: Path, tmp_path: Path, clip: str, cache: Cache, products: Products
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"x" * 9999)
    build: Any = SimpleNamespace(
        featurizers={"clip": resolve("clip", f"clip:{clip}")},
        products=products,
        cache=cache,
        decoder="pyav",
        audio_track="",
        limits=Limits(),
        progress=Progress(None),
        hosts=None,
        first_channel=False,
        hints={},
    )

    def need(sample: str, uri: Path, start: int) -> Need:
        grid = Grid(Span(start * SECOND, (start + 1) * SECOND))
        content = ("b" if uri == broken else "a") * 64
        return Need(sample, str(uri), content, Stream.FRAMES, grid, products.of(Stream.FRAMES), 1.0)

    talk = media / "talk.mp4"
    known, unknown = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (talk, broken))
    needs = [(known, need("first", talk, 0)), (known, need("second", talk, 1))]
    needs += [(unknown, need("broken", broken, 0)), ("0" * 64, need("another", talk, 2))]

    def frames(inputs: list[tuple[Slot, Any]]) -> None:
        assert sorted(slot.samples for slot, _ in inputs) == [("first",), ("second",)]
        for slot, pictures in inputs:
            assert (pictures.shape, pictures.dtype) == ((2, 32, 32, 3), np.uint8)
            assert slot.placement.frame_of_step == (0, 1)

    with in_process() as pipeline:
        decoded = pipeline | beam.Create(needs) | beam.GroupByKey() | DecodeMedia.step(build)
        assert_that(decoded["clip"], frames, label="frames")
        named = decoded[OUTCOMES] | beam.MapTuple(_reason)
        outcomes: list[Any] = [
            ("first", None),
            ("second", None),
            ("broken", (Stage.DECODE, Reason.NOT_MEDIA)),
        ]
        outcomes.append(("another", (Stage.DECODE, Reason.CHANGED)))  # not the bytes that were probed
        assert_that(named, equal_to(outcomes), label="outcomes")
    placement = products.of(Stream.FRAMES)[0]
    assert placement.name == PLACEMENT
    assert cache.has(products.key("a" * 64, Stream.FRAMES, Span(SECOND, 2 * SECOND), placement), "json")


def _reason(sample: str, rejection: Rejection | None) -> tuple[str, Any]:
    return sample, rejection and (rejection.stage, rejection.reason)
