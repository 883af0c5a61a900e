"""What a build computes for a span of a stream, or for a whole file: a product, one entry of the cache."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from pipelines.records import PlannedSample
from schemas.corpus import Column
from schemas.digest import digest
from schemas.features import INT8, SCALE, cache_key, entry_suffix, store_of
from schemas.grid import SECOND_NS, STEP_NS, FrameAt, Grid, Span
from schemas.media import Modality
from schemas.selection.signals import MEMBERS, SIGNALS
from schemas.shard import read_extent
from schemas.words import transcript

IMAGE_SPAN = Span(0, STEP_NS)
PLACEMENT = "placement"

# Raise when decoding places frames or sound elsewhere, or changes their pixels or samples, in every file.
TIMELINE_VERSION = 1
CUTS_VERSION = 1  # raise when media are cut elsewhere
PROBE_VERSION = 3  # raise when a probe says other things; every input is then looked at again, once
# Raise when it does so in some files, and say in MediaInfo or pipelines/steps/plan.py in which.
MENDED_VERSION = 2
JPEG_VERSION = 1
FLAC_VERSION = 1
WORDS_VERSION = 2  # raise when the same sound gives other words

WORDS = "words"  # a file's transcript, of which every span has its share
WINDOW_NS = 30 * SECOND_NS  # in which a file is heard


class Stream(StrEnum):
    """What is decoded: the frames or the sound of a span, or a still image."""

    FRAMES = "frames"
    AUDIO = "audio"
    IMAGE = "image"


STREAM_OF = {Modality.VIDEO: Stream.FRAMES, Modality.AUDIO: Stream.AUDIO, Modality.IMAGE: Stream.IMAGE}


@dataclass(frozen=True, slots=True)
class Product:
    """One thing to compute for every span of a stream.

    Attributes:
        name: a column ("whisper"), or PLACEMENT, WORDS, SIGNALS, "jpeg", "flac".
        suffix: of the cache entry: placement json, features npy or int8, a file's words, signals, pictures
            tar, sound flac.
        fingerprint: of all that makes its bytes beside source, span and grid.
        column: whose featurizer makes it; None: decoding does.
        of_file: one entry a file, however many spans there are of it.
        asks: it also depends on the sample's questions, which `of_sample` gives it.
        full: it looks at every frame, and at the sample's sound too where the same file has it, which
            `of_sample` says in `heard`.
    """

    name: str
    stream: Stream
    suffix: str
    fingerprint: str
    column: str | None = None
    of_file: bool = False
    asks: bool = False
    questions: tuple[str, ...] = ()
    full: bool = False
    heard: bool = False

    def of_sample(self, sample: PlannedSample) -> Product:
        """The same of this sample, where it depends on more than a span of one stream."""
        if self.asks:
            asked = digest({"asked": self.fingerprint, "questions": sample.questions})
            return replace(self, fingerprint=asked, questions=sample.questions)
        both = [sample.media.get(modality) for modality in (Modality.VIDEO, Modality.AUDIO)]
        contents = [source.content for source in both if source]
        return self.with_sound() if self.full and contents == contents[:1] * 2 else self

    def with_sound(self) -> Product:
        """The same of a sample whose sound lies in the same file."""
        return replace(self, fingerprint=digest({"heard": self.fingerprint}), heard=True)

    @property
    def group(self) -> str:
        """What it adds to the name of a kind of members; pictures have one a frame."""
        if self.name == WORDS:
            return "txt+words.json"
        if self.name == SIGNALS:
            return "+".join(MEMBERS)
        if self.suffix == INT8:
            return f"{self.name}.npy+{self.name}.{SCALE}"
        return f"{self.name}.npy" if self.suffix == "npy" else self.suffix

    def members(self, entry: bytes, span: Span) -> dict[str, bytes]:
        """Suffix -> content in a shard, from the cache entry."""
        if self.suffix == INT8:
            return {f"{self.name}.{suffix}": content for suffix, content in read_extent(entry).items()}
        return transcript(entry).members(span) if self.name == WORDS else {self.group: entry}


@dataclass(frozen=True)
class Products:
    """All that one build computes."""

    all: tuple[Product, ...]
    frame_at: FrameAt

    def of(self, stream: Stream) -> tuple[Product, ...]:
        return tuple(product for product in self.all if product.stream is stream)

    def names(self, only: Collection[str] | None = None) -> list[str]:
        """What two builds must share for what they made (of products so named) to be the same."""
        return sorted(
            f"{p.stream}/{p.name}/{p.fingerprint}/{self.frame_at.rule}"
            for p in self.all
            if only is None or p.name in only
        )

    def wanted(self, sample: PlannedSample) -> Iterator[tuple[Product, str]]:
        """(product, cache key) of everything that a sample of its modalities could hold."""
        for modality, source in sorted(sample.media.items()):
            stream = STREAM_OF[modality]
            for product in self.of(stream):
                made = product.of_sample(sample)
                yield made, self.key(source.content, stream, sample.span, made)

    def grid(self, stream: Stream, span: Span) -> Grid:
        """A still image has one step, whatever sound goes with it, and whichever instant picks frames."""
        return Grid(IMAGE_SPAN) if stream is Stream.IMAGE else Grid(span, self.frame_at)

    def key(self, source: str, stream: Stream, span: Span, product: Product) -> str:
        """Cache key of one product of one span of a file, known by its content (schemas.sample.Source)."""
        grid = None if product.of_file else self.grid(stream, span)
        return cache_key(source, stream, grid, product.fingerprint)

    def words(self) -> Product | None:
        """The transcript, if one is made."""
        return next((product for product in self.all if product.name == WORDS), None)


def products_of_build(columns: Mapping[str, Column], options: Mapping[str, Any]) -> Products:
    """The products of a build, from what corpus.json records of it."""
    words = {"whisper"} if options["transcribe"] else set()
    heard = [WORDS_VERSION, options.get("language")]
    keep: list[str] = options["keep"]
    made: list[Product] = []
    for stream in Stream:
        sound = stream is Stream.AUDIO
        base = {"timeline": TIMELINE_VERSION} | ({} if sound else {"decoder": options["decoder"]})
        if stream is not Stream.IMAGE and (track := options.get("audio_track")):  # also decides time zero
            base["audio_track"] = track
        if sound and (channel := options.get("audio_channel")):
            base["audio_channel"] = channel
        made.append(Product(PLACEMENT, stream, "json", digest(base)))
        if "frames" in keep and not sound:
            made.append(Product("jpeg", stream, "tar", digest(base | {"jpeg": JPEG_VERSION})))
        if "audio" in keep and sound:
            made.append(Product("flac", stream, "flac", digest(base | {"flac": FLAC_VERSION})))
        if given := options.get("signals"):
            made.append(_signals(stream, base, given, options))
        for name, column in columns.items():
            if (column.modality == Modality.AUDIO) != sound:
                continue
            made_of = digest(base | {"features": column.fingerprint})
            suffix, asks = entry_suffix(store_of(column.options)), bool(column.options.get("asks"))
            made.append(Product(name, stream, suffix, made_of, name, asks=asks))
            if column.kind in words:
                words.clear()  # one transcript a sample: the first Whisper column's
                words_of = digest(base | {"words": [*heard, column.fingerprint]})
                made.append(Product(WORDS, stream, WORDS, words_of, name, of_file=True))
    return Products(tuple(made), FrameAt(options["frame_at"]))


def _signals(
    stream: Stream, base: Mapping[str, Any], given: Mapping[str, Any], options: Mapping[str, Any]
) -> Product:
    measured = {"signals": given["sound" if stream is Stream.AUDIO else "pictures"]}
    full = stream is Stream.FRAMES and "film" in given
    if full:
        measured |= {"film": given["film"]}
        measured |= {"audio_channel": channel} if (channel := options.get("audio_channel")) else {}
    return Product(SIGNALS, stream, SIGNALS, digest({**base, **measured}), full=full)
