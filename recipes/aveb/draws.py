"""Some of many, drawn by a seed while they stream past."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any

from recipes.manifest import LeftOut, Made


def draw(made: Iterable[Made], most: int | None, seed: int) -> Iterator[Made]:
    """At most `most` of the rows, in their order; what was left out passes through.

    The same rows and seed give the same draw, and memory holds no more than is drawn (Vitter's algorithm R).
    """
    if most is None:
        yield from made
        return
    random_ = random.Random(seed)
    kept: list[tuple[int, dict[str, Any]]] = []
    seen = 0
    for each in made:
        if isinstance(each, LeftOut):
            yield each
            continue
        if seen < most:
            kept.append((seen, each))
        elif (place := random_.randrange(seen + 1)) < most:
            kept[place] = (seen, each)
        seen += 1
    for _, row in sorted(kept, key=lambda numbered: numbered[0]):
        yield row


def rows_of(made: Iterable[Made]) -> list[dict[str, Any]]:
    """The rows without what was left out."""
    return [each for each in made if not isinstance(each, LeftOut)]
