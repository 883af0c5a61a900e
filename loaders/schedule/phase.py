"""An epoch is a list of items, dealt in phases.

A phase is dealt to the ranks in batches, as many steps to each. What a stopped phase has not dealt is the
list of the next phase, which may have other ranks, workers or batch sizes: so every item is read exactly once
an epoch however often training stops, and a checkpoint is a few numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from enum import IntEnum
from typing import Any, Literal, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

# [items, 2]: row, number of the conversation or -1; with pairing [items, 5]: the rest of an Item too
Items = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]
Conversations = Literal["draw", "expand"]


class Purpose(IntEnum):
    """What a random generator is for: the third word of its seed."""

    DRAW = 0
    ORDER = 1
    WINDOWS = 2
    PAIRING = 3
    BATCHES = 4
    COLLATE = 5
    MIX = 6


class Treatment(IntEnum):
    """What becomes of a sample's sound and pictures in one reading."""

    AS_IS = 0
    NO_SOUND = 1
    NO_PICTURES = 2
    MATCH = 3  # asks whether the sound belongs to the pictures: yes
    MISMATCH = 4  # the same with another sample's sound: no
    PICTURES_TASK = 5  # another's sound is there; the pictures' conversation
    SOUNDS_TASK = 6  # another's sound is there; the sound's conversation
    BOTH_TASKS_PICTURES_FIRST = 7
    BOTH_TASKS_SOUND_FIRST = 8


class Item(NamedTuple):
    """One reading of one sample.

    Attributes:
        conversation: its number; with MATCH and MISMATCH the question's.
        sound: the row whose sound it gets; None: its own.
        fill: a repetition, so that no rank runs out of steps before another.
    """

    row: int
    conversation: int | None = None
    sound: int | None = None
    sound_conversation: int | None = None
    treatment: Treatment = Treatment.AS_IS
    fill: bool = False


def as_item(values: list[int], fill: bool = False) -> Item:
    """A row of Items."""
    if len(values) == 2:
        return Item(values[0], None if values[1] < 0 else values[1], fill=fill)
    row, *others, treatment = values
    conversation, sound, sound_conversation = (None if other < 0 else other for other in others)
    return Item(row, conversation, sound, sound_conversation, Treatment(treatment), fill)


@dataclass(frozen=True)
class Phase:
    """How (a part of) an epoch is dealt, and how many steps of it every rank has taken.

    Attributes:
        batch_size: samples a rank and step, at most; 0: only the budget counts.
        budget: the most that a batch may cost, padding included; 0: no such limit.
        one_modality: no batch has samples of two modalities.
    """

    world_size: int
    batch_size: int
    workers: int = 1
    bucket_steps: tuple[int, ...] = ()
    window_bytes: int = 0
    steps: int = 0
    budget: int = 0
    one_modality: bool = False

    def continues(self, other: Phase) -> bool:
        """Both deal alike: going on is taking more steps of the same phase."""
        return replace(self, steps=0) == replace(other, steps=0)

    def dealt_to(self, world_size: int) -> Self:
        return replace(self, world_size=world_size)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "bucket_steps": list(self.bucket_steps)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        return cls(**{**value, "bucket_steps": tuple(value["bucket_steps"])})


@dataclass(frozen=True)
class Batch:
    """A rank's step.

    Attributes:
        fills: how many items, the last ones, are repetitions.
        ahead: rows that this and later batches of the same worker read, best fetched together.
    """

    items: Items
    fills: int = 0
    ahead: Rows | None = None

    def readings(self) -> list[Item]:
        real = len(self.items) - self.fills
        return [as_item(values, number >= real) for number, values in enumerate(self.items.tolist())]


class Deal(Protocol):
    """A phase's items, dealt."""

    @property
    def steps(self) -> int:
        """Steps that every rank takes if the phase runs to its end."""

    def batches(self, rank: int, start: int = 0) -> Iterator[Batch]:
        """A rank's, from its step `start` on."""

    def rest(self, steps: int) -> Items:
        """What so many steps have not dealt."""
