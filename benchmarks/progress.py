"""How far a run is, on standard error: no table and no page is made of it."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

EVERY_S = 2.0  # of steps quicker than that a line now and then

T = TypeVar("T")


def say(line: str) -> None:
    """What begins now."""
    print(line, file=sys.stderr, flush=True)


def told(what: str, steps: Iterable[T], name: Callable[[T], object] | None = None) -> Iterator[T]:
    """The steps, each said before it begins: "film 3 of 12: NAME".

    A line falls between two steps, so never into one that is timed.
    """
    every = list(steps)
    last = -math.inf
    for number, step in enumerate(every, 1):
        if time.monotonic() - last >= EVERY_S:
            say(f"{what} {number} of {len(every)}{f': {name(step)}' if name else ''}")
            last = time.monotonic()
        yield step
