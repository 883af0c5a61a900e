"""The ranks of a job must read alike: said at the start, not found out by a collective that hangs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch.distributed as dist


class RanksDifferError(ValueError):
    """Ranks that would not train together: one line that names them and what differs."""


def world() -> tuple[int, int]:
    """(rank, number of ranks) of torch.distributed; (0, 1) while it does not run."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def agree(facts: Mapping[str, Any]) -> None:
    """A collective.

    Raises:
        RanksDifferError: on every rank, where the facts of two differ.
    """
    _, size = world()
    gathered: list[Any] = [None] * size
    dist.all_gather_object(gathered, dict(facts))
    for name in facts:
        for rank, others in enumerate(gathered):
            if others[name] != gathered[0][name]:
                raise RanksDifferError(
                    f"rank 0 has {name} {_short(gathered[0][name])}, rank {rank} has {_short(others[name])}: "
                    "start them all with the same corpus, arguments and state"
                )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
