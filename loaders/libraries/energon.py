"""A corpus in Megatron-Energon: what `favor-data index OUT --for energon` has it call (docs/readers.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from megatron.energon import Sample, edataclass
from megatron.energon.errors import FatalSampleError

from loaders.corpus import open_corpus
from loaders.dataset import CorpusDataset
from loaders.extent import ExtentError
from loaders.opening import CorpusError

FOLDER = "energon"  # inside the corpus


@edataclass
class CorpusSample(Sample):
    """One sample, as `loaders.sample.TrainingSample` has it.

    Attributes:
        features: column -> float16: sound [steps, 25, width], pictures [steps, tokens, width], a still
            [1, tokens, width].
        audio_mask, visual_mask: bool [steps].
        frame_times: seconds, None: missing.
    """

    id: str
    steps: int
    features: Mapping[str, torch.Tensor]
    audio_mask: torch.Tensor
    visual_mask: torch.Tensor
    frame_times: Sequence[float | None]
    conversations: Sequence[Sequence[Mapping[str, str]]]
    metadata: Mapping[str, Any]


def part_filter(part: str) -> bool:
    """Energon itself reads only KEY.json; all else is read by range, whatever shard it lies in."""
    return part == "json"


def loader_of(state: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Fields of a CorpusSample from what Energon has read of a sample.

    Raises (by calling what is returned):
        FatalSampleError: the corpus is in another state than the index for Energon was made of, or a sample
            cannot be read. Other errors Energon would print, and leave the sample out.
    """

    def load(sample: dict[str, Any]) -> dict[str, Any]:
        root = str(Path(str(sample["__sources__"][0].dataset_path)).parent)
        try:
            dataset, rows = _opened(root, state)
            found = dataset[rows[sample["__key__"]]]
        except (CorpusError, ExtentError, OSError) as error:
            raise FatalSampleError(str(error)) from error
        return {name: getattr(found, name) for name in CorpusSample.__annotations__}

    return load


@lru_cache(maxsize=16)
def _opened(root: str, state: int) -> tuple[CorpusDataset, dict[str, int]]:
    corpus = open_corpus(root)
    if corpus.state != state:
        raise CorpusError(
            f"{root} is in state {corpus.state}, its index for Energon of state {state}: "
            f"run favor-data index {root} --for energon"
        )
    return CorpusDataset(corpus), {key: row for row, key in enumerate(corpus.table["key"].to_pylist())}
