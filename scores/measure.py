"""What a metric gives: what each answer adds to it, so that any part of the answers can be measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from scores.answers import Answer

_RESAMPLES = 1000
_AT_ONCE = 50
Numbers = npt.NDArray[np.float64]


class UnavailableError(Exception):
    """A metric that cannot be computed here: one line that says what it lacks."""


@dataclass(frozen=True)
class Measure:
    """A metric over some answers: sum(parts) / sum(weights).

    Attributes:
        name: the metric's, with what sets it apart from the published one, if anything does.
        parts, weights: float64 [n], of each answer.
        tokenizer: of a metric that needs one.
        more: figures that belong to it.
    """

    name: str
    parts: Numbers
    weights: Numbers
    tokenizer: str | None = None
    more: dict[str, float] = field(default_factory=dict)

    @property
    def value(self) -> float:
        total = float(self.weights.sum())
        return float(self.parts.sum()) / total if total else 0.0

    def interval(self) -> tuple[float, float]:
        """2.5th and 97.5th percentile of the value over 1,000 resamples of the answers (seed 0)."""
        count = len(self.parts)
        random = np.random.default_rng(0)
        values: list[Numbers] = []
        for _ in range(_RESAMPLES // _AT_ONCE):
            times = random.multinomial(count, np.full(count, 1 / count), size=_AT_ONCE)
            total = times @ self.weights
            values.append(np.divide(times @ self.parts, total, out=np.zeros(_AT_ONCE), where=total > 0))
        low, high = np.percentile(np.concatenate(values), [2.5, 97.5])
        return float(low), float(high)

    def of(self, chosen: npt.NDArray[np.bool_]) -> Measure:
        """The same of some of the answers."""
        return Measure(self.name, self.parts[chosen], self.weights[chosen], self.tokenizer)


#: Answers -> a measure; raises UnavailableError.
Metric = Callable[[Sequence[Answer]], Measure]


def mean(name: str, parts: Sequence[float], tokenizer: str | None = None) -> Measure:
    """A metric that is the mean of what each answer gets."""
    values = np.asarray(parts, dtype=np.float64)
    return Measure(name, values, np.ones_like(values), tokenizer)
