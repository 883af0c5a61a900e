"""Faults inside a sample: its members against the index, against one another, and against the cache."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.products import PLACEMENT, STREAM_OF, Products
from pipelines.states.parts import TALKS_OF
from pipelines.storage.cache import Cache
from schemas.features import SCALE, Rate
from schemas.grid import STEP_NS, FrameAt, Span
from schemas.media import Modality
from schemas.rows import Row
from schemas.sample import SAMPLE_VERSION
from schemas.selection.signals import MEMBERS, values_text
from schemas.shard import npy_array, read_extent
from schemas.state import ANNOTATIONS, BASE, State


@dataclass(frozen=True)
class SampleChecker:
    """Checks the samples of one state."""

    output: str
    state: State
    products: Products
    cache: Cache

    def faults(self, layer: str, row: Row, data: bytes) -> Iterator[str]:
        """Of one layer of the sample that an index row describes."""
        try:
            members = read_extent(data)
            arrays = {name: npy_array(content) for name, content in members.items() if name.endswith(".npy")}
            series = arrays.pop(MEMBERS[1], None)
            record = json.loads(members["json"]) if layer == BASE else {}
            said = json.loads(members["annotations.json"]) if layer == ANNOTATIONS else {}
        except (tarfile.TarError, OSError, ValueError, KeyError) as error:
            yield f"cannot be read: {error!r}"
            return
        try:
            faults = [*_annotation_faults(row, said)] if layer == ANNOTATIONS else []
            own = self.state.options["frame_at"] == FrameAt.FAVOR
            faults += record_faults(row, record, own) if layer == BASE else []
            faults += self._feature_faults(layer, row, record, arrays)
            faults += _word_faults(row, members)
            faults += _signal_faults(row, members, series)
            faults += self._cache_faults(row, members)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            faults = [f"its json is not a sample's: {error!r}"]
        yield from faults

    def _feature_faults(self, layer: str, row: Row, record: Row, arrays: Mapping[str, Any]) -> Iterator[str]:
        held = set(self.state.layers[layer])
        features = {f["column"]: f for f in row["features"] if f["column"] in held}
        scales = {name for name in arrays if name.endswith(f".{SCALE}")}
        names = {name.removesuffix(".npy") for name in arrays if name not in scales}
        if scales != {f"{name}.{SCALE}" for name in names if arrays[f"{name}.npy"].dtype == np.int8}:
            yield "a column of int8 and its scale are not both there"
            return
        if set(features) != names or (layer == BASE and set(record["features"]) != names):
            yield "its features are not the arrays beside it"
            return
        for column, feature in features.items():
            array = arrays[f"{column}.npy"]
            known = self.state.columns.get(column)
            if known is None or feature["fingerprint"] != known.fingerprint:
                yield f"{column} is of another encoder than the state names"
            if list(array.shape) != feature["shape"] or str(array.dtype) != feature["dtype"]:
                said = f"{feature['dtype']} {feature['shape']}"
                yield f"{column} is {array.dtype} {list(array.shape)}, not {said}"
            scale = arrays.get(f"{column}.{SCALE}", np.ones(1, np.float32))
            if not (np.isfinite(array).all() and np.isfinite(scale).all()):
                yield f"{column} holds values that are not finite"
            if known is not None and Rate.of(known.options) is None:
                sound = known.modality == Modality.AUDIO
                array = np.moveaxis(array, 0, 1) if known.options.get("asks") else array
                yield from _mask_faults(row, record, column, array, sound)

    def _cache_faults(self, row: Row, members: Mapping[str, bytes]) -> Iterator[str]:
        """Members against the cache, where the cache still holds them."""
        span = Span(row["start_ns"], row["end_ns"])
        for modality, stream in STREAM_OF.items():
            if not (sha256 := row["digests"][str(modality)]):
                continue
            for product in self.products.of(stream):
                if product.name == PLACEMENT or product.suffix == "tar":
                    continue
                key = self.products.key(sha256, stream, span, product)
                cached = self.cache.find(key, product.suffix)
                made = product.members(cached, span) if cached is not None else {}
                for name in sorted(made.keys() & members.keys()):
                    if made[name] != members[name]:
                        path = self.cache.path(key, product.suffix)
                        yield f"{name} differs from the cache's: mend: delete {path}"


def record_faults(row: Row, record: Row, own_frames: bool = False) -> Iterator[str]:
    """KEY.json against its index row; `own_frames`: as many as the frame rule makes, whatever the steps."""
    yield from index_faults(row, record, {"record": record["version"]})
    yield from grid_faults(record, own_frames)
    if record["version"] < SAMPLE_VERSION:
        yield from _annotation_faults(
            row, {name: json.dumps(record[name]) for name in ("conversations", "metadata")}
        )


def index_faults(row: Row, record: Row, more: Row) -> Iterator[str]:
    """What KEY.json says otherwise than its index row; `more`: columns of the row, as they should be."""
    start, end = record["span_ns"]
    said = {
        "key": record["key"],
        "id": record["id"],
        "start_ns": start,
        "end_ns": end,
        "steps": record["steps"],
        "audio_steps": sum(record["audio_mask"]),
        "visual_steps": sum(record["visual_mask"]),
        **more,
    }
    for name, value in said.items():
        if row[name] != value:
            yield f"{name} is {value}, the index says {row[name]}"


def grid_faults(record: Row, own_frames: bool = False) -> Iterator[str]:
    """Steps, masks and frame times of KEY.json that do not fit one another."""
    start, end = record["span_ns"]
    if record["steps"] != -(-(end - start) // STEP_NS):
        yield f"{record['steps']} steps do not cover its span"
    for name in ("audio_mask", "visual_mask", "frame_times"):
        if len(record[name]) != record["steps"] and (name == "audio_mask" or not own_frames):
            yield f"{name} has {len(record[name])} entries for {record['steps']} steps"
    if [int(time is not None) for time in record["frame_times"]] != record["visual_mask"]:
        yield "visual_mask and frame_times disagree"


def _annotation_faults(row: Row, said: Mapping[str, str]) -> Iterator[str]:
    conversations = json.loads(said["conversations"])
    if len(conversations) != row["conversations"]:
        yield f"{len(conversations)} conversations, the index says {row['conversations']}"
    told = {talk["number"]: talk["turns"] for talk in row[TALKS_OF] if talk["number"] is not None}
    if [told.get(number) for number in range(len(conversations))] != conversations:
        yield "its conversations are not those of the conversations' table"
    if json.loads(said["metadata"]) != json.loads(row["metadata"]):
        yield "its metadata are not the index's"


def _word_faults(row: Row, members: Mapping[str, bytes]) -> Iterator[str]:
    if "words.json" not in members:
        return
    heard = json.loads(members["words.json"])
    words, language = heard["words"], heard["language"]
    steps = [word["step"] for word in words]
    outside = [w for w in words if not 0 <= w["step"] < row["steps"] or w["end"] < w["start"]]
    if outside or steps != sorted(steps):
        yield f"words.json: words out of order or out of the span {outside[:1]}"
    if (row["words"], row["language"]) != (len(words), language):
        yield f"{len(words)} words in {language}, the index says {row['words']} in {row['language']}"


def _signal_faults(row: Row, members: Mapping[str, bytes], series: Any) -> Iterator[str]:
    if MEMBERS[0] not in members:
        return
    said = members[MEMBERS[0]]
    if values_text(said) != row["signals"]:
        yield "its signals are not the index's"
    wanted = [row["steps"], sum(len(of["series"]) for of in json.loads(said).values())]
    if series is None or list(series.shape) != wanted:
        yield f"{MEMBERS[1]} is not of {wanted[1]} series of {wanted[0]} steps"


def _mask_faults(row: Row, record: Row, column: str, array: Any, sound: bool) -> Iterator[str]:
    """A masked step is all zeros, and only a masked one: encoders do not give zeros."""
    if len(array) == 1 and row["digests"]["image"]:
        return
    held = (array.reshape(len(array), -1) != 0).any(axis=1).astype(int).tolist()
    if not record:  # beside the base: the index knows how many steps there are
        if sum(held) != row["audio_steps" if sound else "visual_steps"]:
            yield f"{column} has {sum(held)} steps that are not zero"
        return
    mask = record["audio_mask" if sound else "visual_mask"]
    if held != mask:
        wrong = next((k for k, (a, b) in enumerate(zip(held, mask, strict=False)) if a != b), len(mask))
        yield f"{column} and its mask disagree at step {wrong} (shape {list(array.shape)})"
