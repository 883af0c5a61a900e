"""A sample's members, from the cache or from where the corpus holds them: what its layers' shards get."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipelines.errors import StorageError
from pipelines.placement import AudioPlacement, FramePlacement, from_bytes
from pipelines.products import PLACEMENT, STREAM_OF, WORDS, Product, Products, Stream
from pipelines.records import Fresh, Lying, Place, PlannedSample
from pipelines.storage.cache import Cache
from pipelines.storage.uris import Shown
from schemas.corpus import CACHE_NAME
from schemas.digest import digest
from schemas.features import INT8
from schemas.grid import Grid, ns_to_seconds
from schemas.rows import Row
from schemas.sample import SAMPLE_VERSION, Feature, Sample, question_id
from schemas.selection.signals import SIGNALS, entry_in, members
from schemas.shard import json_bytes, npy_shape, read_extent, tar_bytes
from schemas.state import ANNOTATIONS, BASE
from storage import files

FRAME_PREFIX = "frame_"
HANDED = ("npy", INT8, "flac")  # suffixes of entries that a shard holds byte for byte
Opened = dict[Place, dict[str, bytes]]  # samples read out of shards


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
    """What a sample will look like in its base shard: kind of members, about how many bytes, masks."""

    group: str
    size: int
    masks: Masks


@dataclass(frozen=True)
class Made:
    """One layer of a sample.

    Attributes:
        contents: suffix -> content in the order of the shard: json first, the rest by name.
        features: the columns among them.
        entries: of the corpus's own cache, no other sample's: name -> the members that hold it now.
        masks: known where the layer is the base.
    """

    contents: Mapping[str, bytes]
    features: Mapping[str, Feature]
    entries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    masks: Masks | None = None


class Members:
    """Makes the layers of one build's samples.

    Args:
        layers: name -> the products that lie in it.
        shown: what a sample's record says of where its media lie.
        hands_over: features leave the corpus's own cache as soon as a shard holds them.
    """

    def __init__(
        self,
        output: str,
        products: Products,
        cache: Cache,
        fingerprints: Mapping[str, str],
        layers: Mapping[str, Sequence[str]],
        shown: Shown = Shown(),  # noqa: B008 (it never changes)
        hands_over: bool = False,
    ) -> None:
        self._output = output
        self._products = products
        self._cache = cache
        self._fingerprints = fingerprints
        self._shown = shown
        self._hands_over = hands_over and cache.root == files.join(output, CACHE_NAME)
        self.layers = {name: frozenset(products) for name, products in layers.items()}

    def content(self, sample: PlannedSample, layer: str) -> str:
        """SHA-256, hex, of all that decides a layer's bytes; equal content need not be written again."""
        if layer == ANNOTATIONS:
            return digest({"key": sample.key, **sample.annotations()})
        base = layer == BASE
        media = {
            str(m): [source.uri, source.content] if base else source.content
            for m, source in sample.media.items()
        }
        identity: dict[str, object] = {
            "key": sample.key,
            "span": [sample.span.start_ns, sample.span.end_ns],
            "media": media,
            "products": self.made(layer),
            **({"questions": sample.questions} if self._asks(layer) else {}),
        }
        if base:
            identity |= {"id": sample.id, "record": SAMPLE_VERSION}
            identity |= {} if self._shown.how == "full" else {"uris": self._shown.how}
        return digest(identity)

    def _asks(self, layer: str) -> bool:
        return any(product.asks and product.name in self.layers[layer] for product in self._products.all)

    def made(self, layer: str) -> list[str]:
        """What two builds must share for a layer of one to stand in the other."""
        return self._products.names(self.layers[layer] | {PLACEMENT})

    def masks(self, fresh: Fresh) -> Masks:
        """Raises:
        OSError: a placement is neither in the cache nor in a shard.
        """
        sample = fresh.sample
        steps = Grid(sample.span, self._products.frame_at).steps
        masks = Masks([None] * steps, [0] * steps, [0] * steps)
        for modality, source in sample.media.items():
            stream = STREAM_OF[modality]
            key = self._products.key(source.content, stream, sample.span, self._products.of(stream)[0])
            lying = fresh.lying.get(key)
            if lying and not self._cache.has(key, "json"):
                record = json.loads(read_extent(read_place(self._output, lying.place))["json"])
                masks.remarks.extend(r for r in record.get("remarks", []) if r not in masks.remarks)
                if stream is Stream.AUDIO:
                    masks.audio[:] = record["audio_mask"]
                else:
                    masks.frame_times[:] = record["frame_times"]
                    masks.visual[:] = record["visual_mask"]
                continue
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

    def outline(self, fresh: Fresh) -> Outline:
        """Raises:
        OSError: an entry is not in the cache.
        """
        masks, names = self.masks(fresh), []
        opened: Opened = {}
        size = tar_bytes(len(json_bytes(self._record(fresh.sample, masks, {}).to_json())))
        for product, key in self._present(fresh.sample, masks, BASE):
            pictures = sum(masks.visual) if product.stream is Stream.FRAMES else 1
            group = f"{pictures}*jpg" if product.suffix == "tar" else product.group
            names += [group] if group not in names else []  # signals of sound and of pictures are one group
            if (lying := fresh.lying.get(key)) and product.suffix == "npy":
                size += tar_bytes(lying.size)
            elif lying:
                size += sum(tar_bytes(len(content)) for _, content in self._lying(product, lying, opened))
            elif product.suffix == INT8:
                size += self._cache.size(key, product.suffix)  # members of a tar
            elif product.of_file:
                size += sum(map(tar_bytes, map(len, self._share(fresh.sample, product, key).values())))
            else:
                size += tar_bytes(self._cache.size(key, product.suffix))
        return Outline("+".join(sorted(names)), size, masks)

    def make(self, fresh: Fresh, layer: str) -> Made:
        """Raises:
        OSError: an entry is not in the cache.
        StorageError: a shard does not hold what the index says.
        """
        if layer == ANNOTATIONS:
            return Made({"annotations.json": json_bytes(fresh.sample.annotations())}, {})
        masks = self.masks(fresh)
        contents = dict(sorted(self._contents(fresh, masks, layer)))
        features = self._features(contents, fresh.sample)
        entries = dict(self._entries(fresh, masks, layer)) if self._hands_over else {}
        if layer != BASE:
            return Made(contents, features, entries)
        record = self._record(fresh.sample, masks, features)
        return Made({"json": json_bytes(record.to_json()), **contents}, features, entries, masks)

    def _entries(self, fresh: Fresh, masks: Masks, layer: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """A sample of two files may share one of them with another sample."""
        if len({source.sha256 for source in fresh.sample.media.values()}) == 1:
            for product, key in self._present(fresh.sample, masks, layer):
                if product.suffix in HANDED and key not in fresh.lying:
                    yield f"{key}.{product.suffix}", tuple(product.group.split("+"))

    def told(self, fresh: Fresh, masks: Masks) -> Iterator[tuple[str, bytes]]:
        """The members that the index gives an account of: words and signals.

        Raises:
            OSError: an entry is not in the cache.
        """
        for layer in self.layers:
            yield from self._contents(fresh, masks, layer, only=(WORDS, SIGNALS))

    def _present(self, sample: PlannedSample, masks: Masks, layer: str) -> Iterator[tuple[Product, str]]:
        for product, key in self._products.wanted(sample):
            mask = masks.audio if product.stream is Stream.AUDIO else masks.visual
            if any(mask) and product.name in self.layers[layer]:
                yield product, key

    def _placement(
        self, sample: PlannedSample, stream: Stream, source: str
    ) -> AudioPlacement | FramePlacement:
        product = self._products.of(stream)[0]
        return from_bytes(self._cache.get(self._products.key(source, stream, sample.span, product), "json"))

    def _contents(
        self, fresh: Fresh, masks: Masks, layer: str, only: Collection[str] | None = None
    ) -> Iterator[tuple[str, bytes]]:
        opened: Opened = {}
        measured: dict[str, bytes] = {}
        for product, key in self._present(fresh.sample, masks, layer):
            if only is not None and product.name not in only:
                continue
            if product.name == SIGNALS:
                measured[product.stream] = self._signals(product, key, fresh.lying.get(key), opened)
            elif lying := fresh.lying.get(key):
                yield from self._lying(product, lying, opened)
            elif product.suffix == "tar":
                yield from self._frames(fresh.sample, product, self._cache.get(key, product.suffix))
            else:
                yield from self._share(fresh.sample, product, key).items()
        if measured:
            yield from members(measured, len(masks.audio)).items()

    def _signals(self, product: Product, key: str, lying: Lying | None, opened: Opened) -> bytes:
        """The entry of one stream's."""
        if lying is None:
            return self._cache.get(key, product.suffix)
        held = self._opened(lying.place, opened)
        entry = entry_in(held, product.stream, product.stream is Stream.IMAGE)
        if entry is None:
            raise StorageError(f"{lying.place.shard} lacks signals of its {product.stream}: run verify")
        return entry

    def _opened(self, place: Place, opened: Opened) -> dict[str, bytes]:
        if place not in opened:
            opened[place] = read_extent(read_place(self._output, place))
        return opened[place]

    def _lying(self, product: Product, lying: Lying, opened: Opened) -> Iterator[tuple[str, bytes]]:
        """A product's members out of a shard."""
        held = self._opened(lying.place, opened)
        names = dict(zip(lying.group.split("+"), product.group.split("+"), strict=True))
        for name, content in held.items():
            if name in names:
                yield names[name], content
            elif product.suffix == "tar" and name.startswith(FRAME_PREFIX):
                yield name, content

    def _share(self, sample: PlannedSample, product: Product, key: str) -> dict[str, bytes]:
        return product.members(self._cache.get(key, product.suffix), sample.span)

    def _frames(self, sample: PlannedSample, product: Product, tar: bytes) -> Iterator[tuple[str, bytes]]:
        """`frame_KKK.jpg` of each step that has a frame; an image has one."""
        pictures = read_extent(tar)
        [source] = [s for m, s in sample.media.items() if STREAM_OF[m] is product.stream]
        placement = self._placement(sample, product.stream, source.content)
        assert isinstance(placement, FramePlacement)
        for step, row in enumerate(placement.frame_of_step):
            if row >= 0:
                yield f"{FRAME_PREFIX}{step:03d}.jpg", pictures[f"{row}.jpg"]

    def _features(self, contents: Mapping[str, bytes], sample: PlannedSample) -> dict[str, Feature]:
        asking = {product.name for product in self._products.all if product.asks}
        asked = tuple(question_id(question) for question in sample.questions)
        return {
            column: Feature(fingerprint, *npy_shape(content), asked if column in asking else ())
            for column, fingerprint in self._fingerprints.items()
            if (content := contents.get(f"{column}.npy"))
        }

    def _record(self, sample: PlannedSample, masks: Masks, features: Mapping[str, Feature]) -> Sample:
        return Sample(
            key=sample.key,
            id=sample.id,
            span=sample.span,
            steps=len(masks.audio),
            media={m: replace(source, uri=self._shown(source.uri)) for m, source in sample.media.items()},
            frame_times=masks.frame_times,
            audio_mask=masks.audio,
            visual_mask=masks.visual,
            features=features,
            remarks=masks.remarks,
        )


def read_place(output: str, place: Place) -> bytes:
    """The bytes of a sample in a shard.

    Raises:
        StorageError: not those that the index has the digest of.
    """

    path = files.join(output, *place.shard.split("/"))
    data = files.read_range(path, place.offset, place.size)
    if hashlib.sha256(data).hexdigest() != place.sha256:
        raise StorageError(f"{place.shard} is damaged at byte {place.offset}: run favor-data verify {output}")
    return data


def place_of(extent: Row) -> Place:
    """Of an index row (its base), or of one of its columns."""
    return Place(extent["shard"], extent["offset"], extent["size"], extent["sha256"])
