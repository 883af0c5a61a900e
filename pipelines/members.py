"""A sample's members, read from the cache: what `shards/NNNNNN.tar` holds under its key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pipelines.placement import AudioPlacement, FramePlacement, from_bytes
from pipelines.products import PLACEMENT, STREAM_OF, Product, Products, Stream
from pipelines.records import PlannedSample
from pipelines.storage.cache import Cache
from schemas.grid import Grid, ns_to_seconds
from schemas.sample import Feature, Sample
from schemas.shard import json_bytes, npy_shape, read_extent, tar_bytes


@dataclass(frozen=True)
class Masks:
    """A sample's grid as decoded: frame times in seconds (None: missing), and 0 or 1 a step; and what was
    remarked of its media, each remark once."""

    frame_times: list[float | None]
    audio: list[int]
    visual: list[int]
    remarks: list[str] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return not any(self.audio) and not any(self.visual)


@dataclass(frozen=True)
class Outline:
    """What a sample will look like in a shard: its kind of members, about how many bytes, its masks."""

    group: str
    size: int
    masks: Masks


class Members:
    """Reads samples of one build out of the cache."""

    def __init__(self, products: Products, cache: Cache, fingerprints: Mapping[str, str]) -> None:
        self._products = products
        self._cache = cache
        self._fingerprints = fingerprints
        self.made = products.names()

    def masks(self, sample: PlannedSample) -> Masks:
        """Raises:
        OSError: a placement is not in the cache.
        """
        steps = Grid(sample.span, self._products.frame_at).steps
        masks = Masks([None] * steps, [0] * steps, [0] * steps)
        for modality, source in sample.media.items():
            stream = STREAM_OF[modality]
            placement = self._placement(sample, stream, source.content)
            masks.remarks.extend(sorted(set(placement.remarks) - set(masks.remarks)))
            if isinstance(placement, AudioPlacement):
                masks.audio[:] = placement.mask
            elif stream is Stream.IMAGE and any(placement.mask):
                masks.frame_times[:] = [0.0] * steps  # FAVOR repeats an image over all steps of its sound
                masks.visual[:] = [1] * steps
            elif stream is Stream.FRAMES:
                masks.frame_times[:] = [None if pts < 0 else ns_to_seconds(pts) for pts in placement.pts_ns]
                masks.visual[:] = placement.mask
        return masks

    def outline(self, sample: PlannedSample) -> Outline:
        """Raises:
        OSError: an entry is not in the cache.
        """
        masks, names = self.masks(sample), []
        size = tar_bytes(len(json_bytes(self._record(sample, masks, {}).to_json())))
        for product, key in self._present(sample, masks):
            pictures = sum(masks.visual) if product.stream is Stream.FRAMES else 1
            names.append(f"{pictures}*jpg" if product.suffix == "tar" else product.member)
            size += tar_bytes(self._cache.size(key, product.suffix))
        return Outline("+".join(sorted(names)), size, masks)

    def read(self, sample: PlannedSample) -> tuple[Sample, dict[str, bytes]]:
        """The record, and suffix -> content in the order of the shard: json first, the rest by name.

        Raises:
            OSError: an entry is not in the cache.
        """
        masks = self.masks(sample)
        contents = dict(self._contents(sample, masks))
        record = self._record(sample, masks, contents)
        return record, {"json": json_bytes(record.to_json()), **dict(sorted(contents.items()))}

    def _present(self, sample: PlannedSample, masks: Masks) -> Iterator[tuple[Product, str]]:
        for product, key in self._products.wanted(sample):
            mask = masks.audio if product.stream is Stream.AUDIO else masks.visual
            if any(mask) and product.name != PLACEMENT:
                yield product, key

    def _placement(
        self, sample: PlannedSample, stream: Stream, source: str
    ) -> AudioPlacement | FramePlacement:
        product = self._products.of(stream)[0]
        return from_bytes(self._cache.get(self._products.key(source, stream, sample.span, product), "json"))

    def _contents(self, sample: PlannedSample, masks: Masks) -> Iterator[tuple[str, bytes]]:
        for product, key in self._present(sample, masks):
            content = self._cache.get(key, product.suffix)
            if product.suffix == "tar":
                yield from self._frames(sample, product, content)
            else:
                yield product.member, product.content(content)

    def _frames(self, sample: PlannedSample, product: Product, tar: bytes) -> Iterator[tuple[str, bytes]]:
        """`frame_KKK.jpg` of each step that has a frame; an image has one."""
        pictures = read_extent(tar)
        [source] = [s for m, s in sample.media.items() if STREAM_OF[m] is product.stream]
        placement = self._placement(sample, product.stream, source.content)
        assert isinstance(placement, FramePlacement)
        for step, row in enumerate(placement.frame_of_step):
            if row >= 0:
                yield f"frame_{step:03d}.jpg", pictures[f"{row}.jpg"]

    def _record(self, sample: PlannedSample, masks: Masks, contents: Mapping[str, bytes]) -> Sample:
        features = {}
        for column, fingerprint in self._fingerprints.items():
            if content := contents.get(f"{column}.npy"):
                features[column] = Feature(fingerprint, *npy_shape(content))
        return Sample(
            key=sample.key,
            id=sample.id,
            span=sample.span,
            steps=len(masks.audio),
            media=sample.media,
            frame_times=masks.frame_times,
            audio_mask=masks.audio,
            visual_mask=masks.visual,
            conversations=sample.conversations,
            metadata=sample.metadata,
            features=features,
            remarks=masks.remarks,
        )
