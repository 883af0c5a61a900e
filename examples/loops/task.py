"""What all the loops train: a corpus, a model of two layers, and a note of what every step has seen."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from loaders.corpus import open_corpus
from loaders.loader import CorpusLoader
from loaders.synchronise import AudioVisualBatch, Synchronise


def options(name: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m examples.loops.{name}")
    parser.add_argument("corpus")
    parser.add_argument("run", type=Path, help="folder of checkpoints; with one in it, training goes on")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--steps", type=int, help="stop after so many, as at the end of a time slot")
    parsed = parser.parse_args()
    parsed.run.mkdir(parents=True, exist_ok=True)
    return parsed


class Model(nn.Module):
    """Guesses how many steps a sample has."""

    def __init__(self, collate: Synchronise) -> None:
        super().__init__()
        width = collate.visual_width + collate.audio_width
        self.layers = nn.Sequential(nn.Linear(width, 16), nn.GELU(), nn.Linear(16, 1))

    def forward(self, batch: AudioVisualBatch) -> torch.Tensor:
        """The loss; a fill, which only keeps the ranks in step, has weight 0."""
        features = torch.cat([batch.visual.float().mean((1, 2)), batch.audio.float().mean((1, 2))], dim=1)
        errors = (self.layers(features).squeeze(1) - batch.steps) ** 2
        loss: torch.Tensor = (errors * batch.weight).sum() / batch.weight.sum().clamp(min=1)
        return loss


def begin(options: argparse.Namespace) -> tuple[CorpusLoader, Model]:
    """The loader, at its beginning, and the model, untrained; no process group need be there yet."""
    corpus = open_corpus(options.corpus)
    collate = Synchronise.of(corpus)
    loader = CorpusLoader(corpus, options.batch_size, collate=collate, seed=1, num_workers=1)
    return loader, Model(collate)


def note(options: argparse.Namespace, rank: int, batch: AudioVisualBatch) -> None:
    """Appends the step to RUN/seen-RANK.jsonl."""
    seen = [sample.id for sample in batch.samples if not sample.fill]
    with (options.run / f"seen-{rank}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(seen) + "\n")


def batches(options: argparse.Namespace, loader: CorpusLoader, rank: int) -> Iterator[AudioVisualBatch]:
    """Of all epochs, or of as many steps as were asked for; notes each when its step is done."""
    taken = 0
    while loader.epoch < options.epochs and taken != options.steps:
        for batch in loader:
            yield batch
            note(options, rank, batch)
            taken += 1
            if taken == options.steps:
                break
