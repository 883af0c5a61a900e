"""One process or many (`torchrun`): what a step needs to know of the others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
import torch.distributed as dist


@dataclass(frozen=True)
class Ranks:
    """`device`: this rank's own."""

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        return self.rank == 0

    def total(self, *values: float) -> list[float]:
        """Each value's sum over all ranks. A collective."""
        if self.size == 1:
            return list(values)
        totals = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(totals)
        summed: list[float] = totals.tolist()
        return summed


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """This process among those that torchrun started; alone where it did not.

    No DistributedDataParallel may outlive it: torch's Reducer holds the group too, and as its last holder it
    joins Gloo's threads under the GIL, for which one of them may wait to drop a tensor (torch 2.11).
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Ranks(device=torch.device(device))
        return
    own = torch.device(device)
    if own.type == "cuda":
        own = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(own)
    dist.init_process_group("nccl" if own.type == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), size, own)
    finally:
        dist.destroy_process_group()
