"""What the cache lacks for a sample: only that is decoded and computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import apache_beam as beam

from pipelines.metrics.counters import CACHE_HITS, CACHE_MISSES, count
from pipelines.metrics.progress import Progress
from pipelines.placement import from_bytes
from pipelines.products import STREAM_OF, Product, Products, Stream
from pipelines.records import PlannedSample
from pipelines.storage.cache import Cache
from pipelines.tasks import Need
from schemas.grid import ns_to_seconds
from schemas.sample import Source


@beam.typehints.with_input_types(PlannedSample)
@beam.typehints.with_output_types(tuple[str, Need])
class FindNeeds(beam.DoFn):
    """PlannedSample -> (SHA-256 of the file, Need), one a stream that lacks anything."""

    def __init__(self, products: Products, cache: Cache, progress: Progress) -> None:
        self._products = products
        self._cache = cache
        self._progress = progress

    def process(self, sample: PlannedSample) -> Iterator[tuple[str, Need]]:
        lacking = {
            (STREAM_OF[modality], source): missing
            for modality, source in sample.media.items()
            if (missing := self._missing(sample, STREAM_OF[modality], source))
        }
        for (stream, source), missing in lacking.items():
            seconds = ns_to_seconds(sample.span.duration_ns) / len(lacking)
            self._progress.planned(seconds)
            grid = self._products.grid(stream, sample.span)
            need = Need(
                sample.key, source.uri, source.content, stream, grid, missing, seconds, sample.sound_ns
            )
            yield source.sha256, need

    def _missing(self, sample: PlannedSample, stream: Stream, source: Source) -> tuple[Product, ...]:
        placement, *others = self._products.of(stream)

        def key(product: Product) -> str:
            return self._products.key(source.content, stream, sample.span, product)

        known = self._cache.find(key(placement), placement.suffix)
        if known is not None and not any(from_bytes(known).mask):  # nothing there: no other product is made
            count(CACHE_HITS)
            return ()
        absent = self._absent(others, key)
        missing = absent if known is not None else (placement, *absent)
        count(CACHE_MISSES, len(missing))
        count(CACHE_HITS, 1 + len(others) - len(missing))
        return missing

    def _absent(self, products: Sequence[Product], key: Callable[[Product], str]) -> tuple[Product, ...]:
        return tuple(product for product in products if not self._cache.has(key(product), product.suffix))
