"""Optimizer steps: batches gathered over accumulation and ranks; dropout is a function of the step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from examples.favor.model import DIVERSITY_FACTOR, Favor, Losses
from examples.favor.prompt import Turns
from examples.favor.training.ranks import Ranks
from loaders.loader import CorpusLoader
from loaders.synchronise import AudioVisualBatch

SCHEDULES = ("cosine", "linear", "constant")
LONGEST_GRADIENT = 1.0  # its norm: longer ones are scaled down


class NotFiniteError(ArithmeticError):
    """A loss or a gradient that is not a number: the step was not taken."""


class Step(NamedTuple):
    """What one optimizer step gave, over all ranks; `step` counts from 1 over all epochs."""

    step: int
    epoch: int
    total: float
    answer: float
    diversity: float
    rate: float
    samples: int


@dataclass(frozen=True)
class Rate:
    """The learning rate of a step: it rises over the first `warmup` steps, then falls until step `steps`."""

    peak: float
    schedule: str = "constant"
    steps: int = 0
    warmup: int = 0

    def __call__(self, step: int) -> float:
        """`step` counts from 1."""
        if step <= self.warmup:
            return self.peak * step / self.warmup
        done = min(1.0, (step - 1 - self.warmup) / max(1, self.steps - self.warmup))
        match self.schedule:
            case "cosine":
                return self.peak * 0.5 * (1 + math.cos(math.pi * done))
            case "linear":
                return self.peak * (1 - done)
            case _:
                return self.peak


class Training:
    """Args:
    precision: what the forward pass computes in; weights that are trained and the loss stay float32.
    accumulate: batches a rank gives to a step.
    """

    def __init__(
        self,
        model: Favor,
        optimizer: torch.optim.Optimizer,
        rate: Callable[[int], float],
        ranks: Ranks | None = None,
        precision: torch.dtype = torch.float32,
        accumulate: int = 1,
        seed: int = 0,
    ) -> None:
        self.model, self.optimizer, self.rate = model, optimizer, rate
        self.ranks = ranks or Ranks()
        self.precision, self.accumulate, self.seed = precision, accumulate, seed
        devices = [self.ranks.device.index] if self.ranks.device.type == "cuda" else None
        self._parallel: nn.Module = (
            model if self.ranks.size == 1 else DistributedDataParallel(model, device_ids=devices)
        )

    def steps(self, loader: CorpusLoader, epochs: int, taken: int = 0) -> Iterator[Step]:
        """The steps of the epochs that are left, after `taken` ones. No step has batches of two epochs."""
        self.model.train()
        while loader.epoch < epochs:
            epoch = loader.epoch
            batches = iter(loader)
            while group := list(islice(batches, self.accumulate)):
                taken += 1
                yield self._step(taken, epoch, [batch.to(self.ranks.device) for batch in group])
                self.model.train()

    def _step(self, number: int, epoch: int, group: Sequence[AudioVisualBatch]) -> Step:
        self._seed(number)
        rate = self.rate(number)
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = rate
        own = sum(self.model.answer_tokens(batch, _conversations(batch)) for batch in group)
        tokens, samples = self.ranks.total(own, sum(int(batch.weight.sum()) for batch in group))
        self.optimizer.zero_grad(set_to_none=True)
        losses = [
            self._backward(batch, max(tokens, 1.0), len(group), last=batch is group[-1]) for batch in group
        ]
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), LONGEST_GRADIENT)
        means = [float(torch.stack(values).sum()) / self.ranks.size for values in zip(*losses, strict=True)]
        total, answer, diversity, norm_sum = self.ranks.total(*means, float(norm))
        if not math.isfinite(total + norm_sum):
            raise NotFiniteError(
                f"step {number}: the loss is {total:g}, the gradient's norm {norm_sum:g}: it was not taken; "
                "try a lower --learning-rate"
            )
        self.optimizer.step()
        return Step(number, epoch, total, answer, diversity, rate, int(samples))

    def _backward(self, batch: AudioVisualBatch, tokens: float, batches: int, last: bool) -> Losses:
        """Adds the batch's gradients. Ranks average theirs, so a rank's part of the answers' loss is as large
        as all ranks' number of tokens is to the ranks' number."""
        parallel = self._parallel
        wait = isinstance(parallel, DistributedDataParallel) and not last
        with parallel.no_sync() if wait else nullcontext():  # type: ignore[operator]
            with self.autocast():
                given: Losses = parallel(batch, _conversations(batch), tokens / self.ranks.size)
            diversity = given.diversity / batches
            total = given.answer + DIVERSITY_FACTOR * diversity
            total.backward()  # type: ignore[no-untyped-call]
        return Losses(total.detach(), given.answer.detach(), diversity.detach())

    def autocast(self) -> torch.autocast:
        enabled = self.precision != torch.float32
        return torch.autocast(self.ranks.device.type, self.precision if enabled else None, enabled=enabled)

    def _seed(self, number: int) -> None:
        words = [self.seed, number, self.ranks.rank]
        torch.manual_seed(int(np.random.SeedSequence(words).generate_state(1, np.uint32)[0]))


def _conversations(batch: AudioVisualBatch) -> list[Turns | None]:
    return [sample.conversation for sample in batch.samples]
