"""Reads a corpus's features with another project's loader. Runs in the rivals' environment.

    python benchmarks/rivals/read_batches.py LOADER FOLDER COUNT

Prints the wall and CPU seconds a sample, of the better of two rounds. FOLDER holds WebDataset tars (energon)
or what `convert` made of them (streaming).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS = ("clip", "whisper")


def convert(shards: Path, into: Path) -> None:
    """WebDataset tars to MosaicML's own format, arrays as their ndarray encoding has them."""
    import webdataset
    from streaming import MDSWriter

    with MDSWriter(out=str(into), columns=dict.fromkeys(COLUMNS, "ndarray:float16")) as writer:
        for sample in webdataset.WebDataset(
            sorted(map(str, shards.glob("*.tar"))), shardshuffle=False
        ).decode():
            writer.write({column: sample[f"{column}.npy"] for column in COLUMNS})


def mosaicml(folder: Path) -> Iterator[dict[str, Any]]:
    """StreamingDataset, local, in order."""
    from streaming import StreamingDataset

    yield from StreamingDataset(local=str(folder), shuffle=False, batch_size=1)


def prepare_energon(folder: Path) -> None:
    """What `energon prepare` asks for and writes: the shards are the train split, a sample a plain dict."""
    from megatron.energon.flavors.webdataset import BaseWebdatasetFactory

    shards = sorted(path.relative_to(folder).as_posix() for path in folder.glob("shards/*.tar"))
    BaseWebdatasetFactory.prepare_dataset(
        folder, shards, split_parts_patterns=[("train", "shards/.*")], tar_index_only=False, workers=2
    )
    (folder / ".nv-meta" / "dataset.yaml").write_text(
        "__module__: megatron.energon\n__class__: CrudeWebdataset\nsubflavors: {}\n"
    )


def energon(folder: Path) -> Iterator[dict[str, Any]]:
    """Energon's loader, one process, one epoch in order, samples decoded by its own decoder."""
    from megatron.energon import (
        DefaultTaskEncoder,
        WorkerConfig,
        get_loader,
        get_val_dataset,
        stateless,
    )
    from megatron.energon.task_encoder.cooking import Cooker

    @stateless
    def as_it_is(sample: Any) -> Any:
        return sample

    class Plain(DefaultTaskEncoder):
        cookers = (Cooker(as_it_is),)

        def batch(self, samples: list[Any]) -> Any:
            return samples

    workers = WorkerConfig(rank=0, world_size=1, num_workers=0)
    dataset = get_val_dataset(
        folder, split_part="train", worker_config=workers, batch_size=1, task_encoder=Plain()
    )
    for [sample] in get_loader(dataset):
        yield {column: sample[f"{column}.npy"] for column in COLUMNS}


LOADERS: dict[str, Callable[[Path], Iterator[dict[str, Any]]]] = {"energon": energon, "streaming": mosaicml}


def main() -> None:
    """See the module."""
    loader, folder = LOADERS[sys.argv[1]], Path(sys.argv[2])
    best = (float("inf"), float("inf"))
    for _ in range(2):
        began, cpu, count, total = time.perf_counter(), time.process_time(), 0, 0.0
        for sample in loader(folder):
            total += sum(float(np.asarray(sample[column]).reshape(-1)[0]) for column in COLUMNS)
            count += 1
        assert total == total
        assert count == int(sys.argv[3])
        took = (time.perf_counter() - began) / count, (time.process_time() - cpu) / count
        best = min(best, took, key=lambda seconds: seconds[1])
    print(*best)


if __name__ == "__main__":
    if sys.argv[1] == "convert":
        convert(Path(sys.argv[2]), Path(sys.argv[3]))
    elif sys.argv[1] == "prepare":
        prepare_energon(Path(sys.argv[2]))
    else:
        main()
