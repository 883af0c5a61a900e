"""A corpus's samples as lhotse's cuts, whose arrays loaders/libraries/lhotse.py reads out of the shards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lhotse import Features, MonoCut, SupervisionSegment
from lhotse.array import Array, TemporalArray
from lhotse.supervision import AlignmentItem

from pipelines.products import WORDS
from pipelines.states.parts import TALKS_OF, Parts
from schemas.grid import STEP_NS, ns_to_seconds
from schemas.media import Modality
from schemas.rows import Row
from schemas.shard import read_extent
from schemas.state import State
from storage import files

READER = "favor_data"  # loaders.libraries.lhotse.CorpusReader
SAMPLING_RATE = 16_000  # of the sound that features were made of
VECTORS = 25  # of sound a step
STEP_SECONDS = ns_to_seconds(STEP_NS)


@dataclass(frozen=True)
class Cuts:
    """Of one state of a corpus: a cut a sample, in the order of the index.

    Its first column of sound is `features`, every other column an array of the column's name, words with
    their times an alignment; conversations, metadata and the id lie in `custom`. Times count from the
    sample's start. The sound itself is not there: lhotse reads no range of a tar.
    """

    output: str
    state: State

    def __iter__(self) -> Iterator[MonoCut]:
        parts = Parts(self.output)
        for part in self.state.index:
            yield from (self._cut(row) for row in parts.index(part))

    def _cut(self, row: Row) -> MonoCut:
        places = {feature["column"]: _place(row, feature) for feature in row["features"]}
        sound = [name for name in places if self.state.columns[name].modality == Modality.AUDIO][:1]
        talks = [talk for talk in row[TALKS_OF] if talk["number"] is not None]
        custom: dict[str, Any] = {
            feature["column"]: self._array(feature, places[feature["column"]])
            for feature in row["features"]
            if feature["column"] not in sound
        }
        custom["id"] = row["id"]
        custom["metadata"] = json.loads(row["metadata"])
        custom["conversations"] = [talk["turns"] for talk in sorted(talks, key=lambda talk: talk["number"])]
        words = self._words(row)
        return MonoCut(
            id=row["key"],
            start=0.0,
            duration=ns_to_seconds(row["end_ns"] - row["start_ns"]),
            channel=0,
            features=self._features(row, sound[0], places[sound[0]]) if sound else None,
            supervisions=[_spoken(row, words)] if words else [],
            custom=custom,
        )

    def _features(self, row: Row, column: str, place: str) -> Features:
        [feature] = [feature for feature in row["features"] if feature["column"] == column]
        return Features(
            type=column,
            num_frames=row["steps"] * VECTORS,
            num_features=feature["shape"][-1],
            frame_shift=STEP_SECONDS / VECTORS,
            sampling_rate=SAMPLING_RATE,
            start=0.0,
            duration=row["steps"] * STEP_SECONDS,
            storage_type=READER,
            storage_path=self.output,
            storage_key=place,
            recording_id=row["key"],
            channels=0,
        )

    def _array(self, feature: Row, place: str) -> TemporalArray:
        held = Array(READER, self.output, place, list(feature["shape"]))
        return TemporalArray(held, temporal_dim=0, frame_shift=STEP_SECONDS, start=0.0)

    def _words(self, row: Row) -> dict[str, Any] | None:
        """What `words.json` says, no byte of a feature read; None: no transcript was asked for."""
        if row["words"] is None:
            return None
        for shard, offset, size in _beside_features(row):
            data = files.read_range(files.join(self.output, *shard.split("/")), offset, size)
            if content := read_extent(data).get("words.json"):
                found: dict[str, Any] = json.loads(content)
                return found
        return None


def _place(row: Row, feature: Row) -> str:
    """SHARD:OFFSET:SIZE of one column's members."""
    held = [layer for layer in row["columns"] if layer["column"] == feature["column"] and layer["size"]]
    extent = held[0] if held else row
    return f"{extent['shard']}:{extent['offset'] + feature['offset']}:{feature['size']}"


def _beside_features(row: Row) -> Iterator[tuple[str, int, int]]:
    """(shard, offset, size) of the words' own layer, and of the whole members between the base's features."""
    apart = {layer["column"]: layer for layer in row["columns"]}
    if (words := apart.get(WORDS)) and words["size"]:
        yield words["shard"], words["offset"], words["size"]
    features = [(f["offset"], f["size"]) for f in row["features"] if f["column"] not in apart]
    at = 0
    for offset, size in [*sorted(features), (row["size"], 0)]:
        if offset > at:
            yield row["shard"], row["offset"] + at, offset - at
        at = offset + size


def _spoken(row: Row, words: Mapping[str, Any]) -> SupervisionSegment:
    start = ns_to_seconds(row["start_ns"])
    said = []
    for word in words["words"]:
        begin, length = round(word["start"] - start, 3), round(word["end"] - word["start"], 3)
        said.append(AlignmentItem(word["word"], begin, length, word["confidence"]))
    return SupervisionSegment(
        id=row["key"],
        recording_id=row["key"],
        start=0.0,
        duration=ns_to_seconds(row["end_ns"] - row["start_ns"]),
        channel=0,
        text=" ".join(item.symbol for item in said),
        language=words["language"],
        alignment={"word": said},
    )
