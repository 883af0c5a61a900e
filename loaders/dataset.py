"""Random access to the samples of a corpus: one range read each."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from pydantic_core import from_json
from torch.utils.data import Dataset

from loaders.corpus import Corpus
from loaders.extent import ExtentError, array, members
from loaders.plan import Item
from loaders.storage import Bytes


@dataclass(frozen=True)
class TrainingSample:
    """One sample, decoded.

    Attributes:
        steps: number of 0.5 s steps.
        span_ns: [start, end) in the media's own time.
        features: column -> float16 tensor: sound [steps, 25, width], pictures [steps, tokens, width],
            a still picture [1, tokens, width].
        audio_mask, visual_mask: bool [steps].
        frame_times: seconds of each step's frame in the media's time; None: missing.
        conversations: all of them; `conversation`: the one that this pass drew, None where there is none.
        files: the members kept beside the features (`flac`, `frame_000.jpg`, `txt`), as bytes.
        fill: a repetition, there only to give every rank as many steps; weigh it 0.
    """

    key: str
    id: str
    steps: int
    span_ns: tuple[int, int]
    features: Mapping[str, torch.Tensor]
    audio_mask: torch.Tensor
    visual_mask: torch.Tensor
    frame_times: Sequence[float | None]
    conversations: Sequence[Sequence[Mapping[str, str]]]
    metadata: Mapping[str, Any]
    media: Mapping[str, Mapping[str, str]]
    conversation: Sequence[Mapping[str, str]] | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    fill: bool = False

    @property
    def is_image(self) -> bool:
        """Its pictures are one still, shown at every step."""
        return "image" in self.media


class CorpusDataset(Dataset[TrainingSample]):
    """Map-style: `dataset[i]` is row i of the corpus's table. Takes an `Item` too, as a plan deals them.

    Args:
        columns: which features to decode; None: all.
        verify: check every sample's SHA-256 against the index.

    Raises (by indexing):
        ExtentError: the shard does not hold what the index says.
    """

    def __init__(self, corpus: Corpus, columns: Collection[str] | None = None, verify: bool = False) -> None:
        self.corpus = corpus
        self.columns = columns
        self.verify = verify
        table = corpus.table
        self._shards = table["shard"].combine_chunks().dictionary_encode()
        self._shard_names: list[str] = self._shards.dictionary.to_pylist()
        self._shard_numbers = self._shards.indices.to_numpy()
        self._offsets = table["offset"].to_numpy()
        self._sizes = table["size"].to_numpy()
        self._keys = table["key"].combine_chunks()
        self._sha256 = table["sha256"].combine_chunks()

    def __len__(self) -> int:
        return len(self.corpus)

    def __getitem__(self, index: int | Item) -> TrainingSample:
        item = index if isinstance(index, Item) else Item(range(len(self))[index])
        return self.decode(item, self._read(item.row))

    def decode(self, item: Item, extent: Bytes) -> TrainingSample:
        """The sample of `item`'s row from the bytes of its extent."""
        key = str(self._keys[item.row])
        if self.verify and hashlib.sha256(extent.data).hexdigest() != str(self._sha256[item.row]):
            raise ExtentError(f"{self._where(item.row)}: not the bytes that the index has the SHA-256 of")
        try:
            return training_sample(key, members(extent), item, self.columns)
        except ExtentError as error:
            raise ExtentError(f"{self._where(item.row)}: {error}") from error

    def extent_of(self, row: int) -> tuple[str, int, int]:
        """Shard, offset and size of a row's bytes."""
        shard = self._shard_names[self._shard_numbers[row]]
        return shard, int(self._offsets[row]), int(self._sizes[row])

    def _read(self, row: int) -> Bytes:
        shard, offset, size = self.extent_of(row)
        try:
            return self.corpus.storage.read_range(shard, offset, size)
        except EOFError as error:
            raise ExtentError(f"{self._where(row)}: {error}") from error

    def _where(self, row: int) -> str:
        shard, offset, _ = self.extent_of(row)
        return f"sample {self._keys[row]} at byte {offset} of {self.corpus.root}/{shard}"


def training_sample(
    key: str, found: Mapping[str, memoryview], item: Item, columns: Collection[str] | None = None
) -> TrainingSample:
    """Decodes the members `KEY.SUFFIX` of one sample.

    Raises:
        ExtentError: they are another sample's, or not what a sample holds.
    """
    prefix, cut = f"{key}.", len(key) + 1
    content = {name[cut:]: data for name, data in found.items() if name.startswith(prefix)}
    if len(content) < len(found) or "json" not in content:
        raise ExtentError(f"these bytes hold {', '.join(sorted(found))}: was the corpus built again?")
    record = _record(content.pop("json"))
    features = {
        column: torch.from_numpy(array(content.pop(f"{column}.npy")))
        for column in record["features"]
        if f"{column}.npy" in content and (columns is None or column in columns)
    }
    conversations = record["conversations"]
    return TrainingSample(
        key=key,
        id=record["id"],
        steps=record["steps"],
        span_ns=tuple(record["span_ns"]),
        features=features,
        audio_mask=torch.from_numpy(np.array(record["audio_mask"], np.bool_)),
        visual_mask=torch.from_numpy(np.array(record["visual_mask"], np.bool_)),
        frame_times=record["frame_times"],
        conversations=conversations,
        metadata=record["metadata"],
        media=record["media"],
        conversation=None if item.conversation is None else conversations[item.conversation],
        files={name: data.tobytes() for name, data in content.items() if not name.endswith(".npy")},
        fill=item.fill,
    )


def _record(content: memoryview) -> dict[str, Any]:
    try:
        record: dict[str, Any] = from_json(bytes(content), cache_strings="keys")
    except ValueError as error:
        raise ExtentError(f"a sample's json is damaged: {error}") from error
    return record
