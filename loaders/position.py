"""Where a loader stands, as a function of the steps taken: what a checkpoint keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from loaders.schedule.phase import Phase


@dataclass(frozen=True)
class Position:
    """The epoch of the next step, and the phases of it that were dealt.

    Attributes:
        begun: steps of this epoch were taken in this process, since it was gone to or a state was loaded.
    """

    epoch: int = 0
    phases: tuple[Phase, ...] = ()
    begun: bool = False

    def at_epoch(self, epoch: int) -> Position:
        """The beginning of an epoch; but a loaded state of that epoch goes on where it was taken."""
        return self if epoch == self.epoch and not self.begun else Position(epoch)

    def next_iteration(self) -> Position:
        """An iteration that was left in mid-epoch gives way to the next epoch."""
        return Position(self.epoch + 1) if self.begun else self

    def earlier(self, phase: Phase) -> tuple[tuple[Phase, ...], int]:
        """The phases before that of the next step, and the steps of it that were taken."""
        if self.phases and self.phases[-1].continues(phase):
            return self.phases[:-1], self.phases[-1].steps
        return self.phases, 0

    def after(self, phase: Phase, steps: int, of: int) -> Position:
        """After so many steps of a phase of `of` steps: after its last one, the next epoch."""
        if steps == of:
            return Position(self.epoch + 1)
        return Position(self.epoch, (*self.earlier(phase)[0], replace(phase, steps=steps)), begun=True)

    def to_json(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "phases": [phase.to_json() for phase in self.phases]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        return cls(value["epoch"], tuple(Phase.from_json(phase) for phase in value["phases"]))
