"""The alignment task (examples/favor/clips.py) learnt from features as they are stored, in closed form.

The learner knows nothing but products of a step's sound with the same step's pictures: random features of
every token, their mean a step; principal components of the sound; ridge regression on their products, summed
over the steps, names the colour. Colours of different steps are independent: who pairs the sound with another
step's picture guesses, one in four.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from examples.favor.alignment import of_split, shifted
from examples.favor.clips import COLOURS
from loaders.loader import CorpusLoader
from loaders.synchronise import AudioVisualBatch, Synchronise

RANDOM_FEATURES, COMPONENTS = 48, 12
RIDGE = 1e-2  # of the products' mean square
APART = 2  # steps by which the sound is moved against the pictures


def accuracies(corpus: Path, seeds: int) -> tuple[list[float], list[float]]:
    """Of every draw of random features, the share of held-out clips whose colour is right; and of the same
    clips with their sound moved APART."""
    training, held_out = (_batches(corpus, split) for split in ("train", "test"))
    first = training[0].visual.float()
    mean, scale = first.mean((0, 1, 2)), first.std((0, 1, 2)) + 1e-3
    sound = _sound(training)
    centre, spread = sound.mean((0, 1)), sound.std((0, 1)) + 1e-3
    _, _, components = torch.linalg.svd(((sound - centre) / spread).flatten(0, 1), full_matrices=False)

    def products(batches: list[AudioVisualBatch], features: Tensor) -> Tensor:
        heard = ((_sound(batches) - centre) / spread) @ components[:COMPONENTS].T
        seen = [(((b.visual.float() - mean) / scale) @ features).relu().mean(2) for b in batches]
        return torch.einsum("nsa,nsb->nab", heard, torch.cat(seen)).flatten(1)

    found: tuple[list[float], list[float]] = ([], [])
    moved = [shifted(batch, APART) for batch in held_out]
    wanted, asked = _colours(training), _colours(held_out)
    for seed in range(seeds):
        drawn = torch.Generator().manual_seed(seed)
        features = torch.randn(len(mean), RANDOM_FEATURES, generator=drawn) / len(mean) ** 0.5
        known = products(training, features)
        offset = known.mean(0)
        known = known - offset
        held = RIDGE * known.square().sum(1).mean() * torch.eye(len(known))
        weights = known.T @ torch.linalg.solve(known @ known.T + held, wanted - wanted.mean(0))
        for shares, batches in zip(found, (held_out, moved), strict=True):
            right = ((products(batches, features) - offset) @ weights).argmax(1) == asked.argmax(1)
            shares.append(right.float().mean().item())
    return found


def _batches(corpus: Path, split: str) -> list[AudioVisualBatch]:
    part = of_split(corpus, split)
    return list(CorpusLoader(part, 8, collate=Synchronise.of(part), shuffle=False))


def _sound(batches: list[AudioVisualBatch]) -> Tensor:
    """[clips, steps, width]: a mean a step."""
    return torch.cat([batch.audio.float().mean(2) for batch in batches])


def _colours(batches: list[AudioVisualBatch]) -> Tensor:
    """[clips, colours], one of them 1."""
    turns = [sample.conversation or () for batch in batches for sample in batch.samples]
    named = [list(COLOURS).index(talk[-1]["value"].split()[-1]) for talk in turns]
    return torch.nn.functional.one_hot(torch.tensor(named), len(COLOURS)).float()
