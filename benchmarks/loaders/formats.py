"""Other libraries over a corpus, beside the same libraries over their own formats, and beside our loader.

python -m benchmarks.loaders.formats [--rounds 5] [--write docs/readers.md]

The same float16 arrays lie in a corpus and in what each library writes for itself: tars of webdataset and of
Energon, Hugging Face's Arrow, lhotse's Shar, a NumPy file a column for plain PyTorch. Everything reads from a
warm page cache in one process and one thread, takes a number from every array, and takes turns; figures are
medians of the rounds in CPU time. `own / ours`: how many times as long the library takes over its own format
as `StreamingCorpus` takes over the corpus, round by round.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import torch
import webdataset as wds

from benchmarks.lines import write_into
from benchmarks.loading import LARGE, SMALL, Shape, rounds, write_corpus
from benchmarks.progress import say, told
from benchmarks.rivals.read_batches import energon as energon_samples
from benchmarks.rivals.read_batches import prepare_energon
from loaders.corpus import open_corpus
from loaders.dataset import CorpusDataset
from loaders.sample import TrainingSample
from loaders.schedule.phase import Phase
from loaders.streaming import StreamingCorpus
from pipelines.commands.command import main as favor_data

COLUMNS = ("clip", "whisper")
SHAPES = (replace(LARGE, samples=16, samples_per_shard=8), replace(SMALL, samples=200, samples_per_shard=100))
BEGIN, END = "<!-- formats -->\n", "<!-- end of formats -->\n"
Arrays = Mapping[str, Any]
Reader = Callable[[Path], Iterable[Arrays]]


def ours(root: Path) -> Iterator[Arrays]:
    """Shuffled, as training reads it."""
    for sample in StreamingCorpus(open_corpus(root), Phase(1, 8, window_bytes=64 << 20)):
        yield sample.features


def tars(root: Path) -> Iterator[Arrays]:
    """webdataset over `shards/`."""
    for sample in wds.WebDataset(sorted(map(str, root.glob("shards/*.tar"))), shardshuffle=False).decode():
        yield {column: sample[f"{column}.npy"] for column in COLUMNS}


def write_tars(corpus: Sequence[TrainingSample], folder: Path) -> None:
    """As webdataset's own writer has them."""
    (folder / "shards").mkdir(parents=True)
    with wds.ShardWriter(str(folder / "shards" / "%06d.tar"), maxcount=200, verbose=0) as writer:
        for sample in corpus:
            arrays = {f"{column}.npy": sample.features[column].numpy() for column in COLUMNS}
            writer.write({"__key__": sample.key, **arrays})


def write_energon(corpus: Sequence[TrainingSample], folder: Path) -> None:
    """The same tars, prepared."""
    write_tars(corpus, folder)
    prepare_energon(folder)


def energon_corpus(root: Path) -> Iterator[Arrays]:
    """Energon over `favor-data index --for energon`."""
    from megatron.energon import WorkerConfig, get_loader, get_train_dataset

    dataset = get_train_dataset(
        str(root / "energon"),
        batch_size=None,
        shuffle_buffer_size=None,
        max_samples_per_sequence=None,
        repeat=False,
        worker_config=WorkerConfig(rank=0, world_size=1, num_workers=0),
    )
    for sample in get_loader(dataset):
        yield sample.features


def write_arrow(corpus: Sequence[TrainingSample], folder: Path) -> None:
    """Arrow with arrays of one shape, the fastest that `datasets` has."""
    from datasets import Array3D, Dataset, Features

    shapes = {column: tuple(corpus[0].features[column].shape) for column in COLUMNS}
    features = Features({column: Array3D(shape, "float16") for column, shape in shapes.items()})
    rows = ({column: sample.features[column].numpy() for column in COLUMNS} for sample in corpus)
    Dataset.from_list(list(rows), features=features).save_to_disk(str(folder))


def arrow(folder: Path) -> Iterator[Arrays]:
    """Whole rows as NumPy arrays."""
    from datasets import load_from_disk

    yield from load_from_disk(str(folder)).with_format("numpy")


def arrow_corpus(root: Path) -> Iterator[Arrays]:
    """`datasets` streaming the shards."""
    from datasets import load_dataset

    shards = sorted(map(str, root.glob("shards/*.tar")))
    for row in load_dataset("webdataset", data_files=shards, split="train", streaming=True):
        yield {column: np.asarray(row[f"{column}.npy"]) for column in COLUMNS}


def write_shar(corpus: Sequence[TrainingSample], folder: Path) -> None:
    """Tars of cuts and of each column."""
    from lhotse import MonoCut
    from lhotse.shar import SharWriter

    folder.mkdir()
    with SharWriter(str(folder), fields=dict.fromkeys(COLUMNS, "numpy"), shard_size=200) as writer:
        for sample in corpus:
            cut = MonoCut(id=sample.key, start=0, duration=sample.steps / 2, channel=0)
            for column in COLUMNS:
                array = sample.features[column].numpy()
                cut = cut.attach_tensor(column, array, frame_shift=0.5, temporal_dim=0)
            writer.write(cut)


def shar(folder: Path) -> Iterator[Arrays]:
    """`CutSet.from_shar`, in order."""
    from lhotse import CutSet

    for cut in CutSet.from_shar(in_dir=folder):
        yield {column: getattr(cut, f"load_{column}")() for column in COLUMNS}


def lhotse_corpus(root: Path) -> Iterator[Arrays]:
    """lhotse over `favor-data index --for lhotse`."""
    from lhotse import CutSet

    import loaders.libraries.lhotse  # noqa: F401 (registers the reader)

    for cut in CutSet.from_jsonl_lazy(root / "lhotse" / "cuts.jsonl.gz"):
        yield {"whisper": cut.features.load(), "clip": cut.load_clip()}


def write_files(corpus: Sequence[TrainingSample], folder: Path) -> None:
    """A file a sample and column."""
    folder.mkdir()
    for number, sample in enumerate(corpus):
        for column in COLUMNS:
            np.save(folder / f"{number:06d}.{column}.npy", sample.features[column].numpy())


class Files(torch.utils.data.Dataset[dict[str, Any]]):
    """A NumPy file a column, as people write them."""

    def __init__(self, folder: Path) -> None:
        self.stems = sorted(str(path).removesuffix(".clip.npy") for path in folder.glob("*.clip.npy"))

    def __len__(self) -> int:
        return len(self.stems)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {column: torch.from_numpy(np.load(f"{self.stems[row]}.{column}.npy")) for column in COLUMNS}


def files(folder: Path) -> Iterator[Arrays]:
    """PyTorch's DataLoader, shuffled."""
    yield from torch.utils.data.DataLoader(Files(folder), batch_size=None, shuffle=True)


def torch_corpus(root: Path) -> Iterator[Arrays]:
    """PyTorch's DataLoader over `CorpusDataset`."""
    dataset = CorpusDataset(open_corpus(root))
    for sample in torch.utils.data.DataLoader(dataset, batch_size=None, shuffle=True):
        yield sample.features


# Library -> what writes its own format, reads it, reads the corpus.
LIBRARIES: dict[str, tuple[Callable[[Sequence[TrainingSample], Path], None], Reader, Reader]] = {
    "webdataset, tars": (write_tars, tars, tars),
    "Energon, prepared tars": (write_energon, energon_samples, energon_corpus),
    "Hugging Face datasets, Arrow": (write_arrow, arrow, arrow_corpus),
    "lhotse, Shar": (write_shar, shar, lhotse_corpus),
    "PyTorch, .npy files": (write_files, files, torch_corpus),
}


def touched(read: Reader, folder: Path, wanted: int) -> int:
    """Samples read, a number of every array taken."""
    count, total = 0, 0.0
    for arrays in read(folder):
        count += 1
        total += sum(float(np.asarray(arrays[column]).reshape(-1)[0]) for column in COLUMNS)
    assert count == wanted
    assert total == total
    return count


def measure(folder: Path, shape: Shape, turns: int) -> Iterator[str]:
    """Table rows."""
    say(f"a corpus: {shape.name}")
    root = folder / "corpus"
    write_corpus(root, shape)
    dataset = CorpusDataset(open_corpus(root))
    corpus = [dataset[row] for row in range(len(dataset))]
    with contextlib.redirect_stdout(sys.stderr):
        for loader in ("energon", "lhotse"):
            assert favor_data(["index", str(root), "--for", loader]) == 0
    readers = {"ours": partial(touched, ours, root, shape.samples)}
    for number, (name, (write, own, over)) in enumerate(told("library", LIBRARIES.items(), itemgetter(0))):
        place = folder / str(number)
        write(corpus, place)
        readers[f"{name}: own"] = partial(touched, own, place, shape.samples)
        readers[f"{name}: corpus"] = partial(touched, over, root, shape.samples)
    taken = {name: [cpu for _, cpu in found] for name, found in rounds(readers, turns).items()}
    best = taken["ours"]
    yield f"| {shape.name} | `StreamingCorpus` | – | {1e3 * statistics.median(best):.2f} | – | 1.0 |"
    for name in LIBRARIES:
        theirs, there = taken[f"{name}: own"], taken[f"{name}: corpus"]
        ratios = [statistics.median(a / b for a, b in zip(theirs, of, strict=True)) for of in (there, best)]
        figures = [f"{1e3 * statistics.median(seconds):.2f}" for seconds in (theirs, there)]
        yield f"| {shape.name} | {name} | {' | '.join(figures)} | {ratios[0]:.2f} | {ratios[1]:.1f} |"


def table(shapes: Iterable[Shape], turns: int) -> str:
    """Markdown."""
    lines = [
        "| samples | library, its own format | CPU ms a sample, own | over the corpus | own / corpus "
        "| own / ours |",
        "| --- | --- | --: | --: | --: | --: |",
    ]
    for shape in shapes:
        with tempfile.TemporaryDirectory(prefix="favor-data-bench-") as folder:
            lines += list(measure(Path(folder), shape, turns))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Prints the table, and writes it into a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", type=Path, metavar="PAGE")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    measured = table(SHAPES, arguments.rounds)
    print(measured)
    write_into(arguments.write, BEGIN, END, measured)


if __name__ == "__main__":
    main()
