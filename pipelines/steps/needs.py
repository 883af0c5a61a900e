"""What the cache lacks for a sample: only that is decoded and computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import apache_beam as beam

from pipelines.metrics.counters import CACHE_HITS, CACHE_MISSES, count
from pipelines.metrics.progress import Progress
from pipelines.placement import from_bytes
from pipelines.products import STREAM_OF, Product, Products, Stream
from pipelines.records import Fresh
from pipelines.storage.cache import Cache
from pipelines.tasks import Need
from schemas.grid import ns_to_seconds
from schemas.sample import Source


@beam.typehints.with_input_types(Fresh)
@beam.typehints.with_output_types(tuple[str, Need])
class FindNeeds(beam.DoFn):
    """Fresh -> (SHA-256 of the file, Need), one a stream that lacks anything."""

    def __init__(
        self, products: Products, cache: Cache, layers: Mapping[str, Sequence[str]], progress: Progress
    ) -> None:
        self._products = products
        self._layers = layers
        self._cache = cache
        self._progress = progress

    def process(self, fresh: Fresh) -> Iterator[tuple[str, Need]]:
        sample = fresh.sample
        lacking = {
            (STREAM_OF[modality], source): missing
            for modality, source in sample.media.items()
            if (missing := self._missing(fresh, STREAM_OF[modality], source))
        }
        for (stream, source), missing in lacking.items():
            seconds = ns_to_seconds(sample.span.duration_ns) / len(lacking)
            self._progress.planned(seconds)
            grid = self._products.grid(stream, sample.span)
            need = Need(
                sample.key, source.uri, source.content, stream, grid, missing, seconds, sample.sound_ns
            )
            yield source.sha256, need

    def _missing(self, fresh: Fresh, stream: Stream, source: Source) -> tuple[Product, ...]:
        wanted = {name for layer in fresh.layers for name in self._layers[layer]}
        placement, *others = self._products.of(stream)
        others = [product.of_sample(fresh.sample) for product in others if product.name in wanted]
        if not wanted:
            return ()

        def key(product: Product) -> str:
            return self._products.key(source.content, stream, fresh.sample.span, product)

        known = self._cache.find(key(placement), placement.suffix)
        lying = fresh.lying.get(key(placement))
        if lying.empty if lying else known is not None and not any(from_bytes(known).mask):
            count(CACHE_HITS)  # nothing there: no other product is made
            return ()
        absent = tuple(
            product
            for product in others
            if key(product) not in fresh.lying and not self._cache.has(key(product), product.suffix)
        )
        if known is None and lying and not absent:
            return ()
        missing = absent if known is not None else (placement, *absent)
        count(CACHE_MISSES, len(missing))
        count(CACHE_HITS, 1 + len(others) - len(missing))
        return missing
