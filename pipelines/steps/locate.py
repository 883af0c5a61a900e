"""What fresh samples want and the corpus holds already: features lie once, in its shards."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import apache_beam as beam
import numpy as np

from pipelines.members import place_of
from pipelines.products import PLACEMENT, STREAM_OF, Product, Products, Stream
from pipelines.records import Fresh, Lying
from pipelines.steps.corpus import KeyedRow
from schemas.grid import Span
from schemas.media import Modality
from schemas.rows import Row
from schemas.state import BASE

_NPY_HEADER = 128
Found = tuple[str, Lying]  # cache key, where


@beam.typehints.with_input_types(fresh=Fresh, index=KeyedRow)
@beam.typehints.with_output_types(Fresh)
class Locate(beam.PTransform):
    """{"fresh": Fresh, "index": (key, row)} -> Fresh, with the places of what it wants.

    Args:
        products: of this build; `held`: of the build that wrote the corpus; `layers`: where those lie in it.
        missing: shards that are not there.
    """

    def __init__(
        self,
        products: Products,
        held: Products,
        layers: Mapping[str, Iterable[str]],
        missing: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__()
        self._products = products
        self._held = held
        self._missing = missing
        self._layers = {PLACEMENT: BASE} | {name: layer for layer, names in layers.items() for name in names}

    def expand(self, inputs: Mapping[str, beam.PCollection]) -> beam.PCollection:
        sources = (
            inputs["fresh"]
            | "Sources" >> beam.FlatMap(_sources).with_output_types(str)
            | "As a set" >> beam.CombineGlobally(beam.combiners.ToSetCombineFn())
        )
        lying = inputs["index"] | "Lying" >> beam.FlatMap(
            _lying, self._held, self._layers, self._missing, beam.pvalue.AsSingleton(sources)
        ).with_output_types(Found)
        wanted = inputs["fresh"] | "Wanted" >> beam.FlatMap(_wanted, self._products).with_output_types(
            tuple[str, str]
        )
        found = (
            {"wanted": wanted, "lying": lying}
            | "By product" >> beam.CoGroupByKey()
            | "Wanted and lying" >> beam.FlatMap(_meet).with_output_types(tuple[str, Found])
        )
        keyed = beam.Map(lambda fresh: (fresh.sample.key, fresh)).with_output_types(tuple[str, Fresh])
        return (
            {"fresh": inputs["fresh"] | "Key fresh" >> keyed, "found": found}
            | "By sample" >> beam.CoGroupByKey()
            | "Located" >> beam.FlatMap(_located).with_output_types(Fresh)
        )


def _sources(fresh: Fresh) -> set[str]:
    return {source.content for source in fresh.sample.media.values()}


def _wanted(fresh: Fresh, products: Products) -> Iterator[tuple[str, str]]:
    for _, key in products.wanted(fresh.sample):
        yield key, fresh.sample.key


def _lying(
    keyed: KeyedRow,
    held: Products,
    layers: Mapping[str, str],
    missing: frozenset[str],
    sources: set[str],
) -> Iterator[Found]:
    _, row = keyed
    span = Span(row["start_ns"], row["end_ns"])
    extents = {BASE: row} | {layer["column"]: layer for layer in row["columns"]}
    for modality, stream in STREAM_OF.items():
        sha256 = row["digests"][str(modality)]
        if sha256 not in sources:
            continue
        for product in held.of(stream):
            if product.asks:  # the index does not say what was asked
                continue
            heard = product.full and sha256 == row["digests"][str(Modality.AUDIO)]
            made = product.with_sound() if heard else product
            extent = extents.get(layers.get(product.name, ""))
            if extent and extent["size"] and extent["shard"] not in missing:
                size = _size(product, row) or extent["size"]
                empty = not row["audio_steps" if stream is Stream.AUDIO else "visual_steps"]
                yield (
                    held.key(sha256, stream, span, made),
                    Lying(place_of(extent), product.group, size, empty),
                )


def _size(product: Product, row: Row) -> int:
    """Bytes of an array's file; 0: no array."""
    for feature in row["features"]:
        if feature["column"] == product.name:
            values = math.prod(int(length) for length in feature["shape"])
            return _NPY_HEADER + values * int(np.dtype(feature["dtype"]).itemsize)
    return 0


def _meet(element: tuple[str, Mapping[str, Iterable[Any]]]) -> Iterator[tuple[str, Found]]:
    key, joined = element
    lying = min(joined["lying"], key=lambda found: (found.place.shard, found.place.offset), default=None)
    if lying is not None:
        yield from ((sample, (key, lying)) for sample in joined["wanted"])


def _located(element: tuple[str, Mapping[str, Iterable[Any]]]) -> Iterator[Fresh]:
    _, joined = element
    for fresh in joined["fresh"]:
        yield replace(fresh, lying=dict(sorted(joined["found"])))
