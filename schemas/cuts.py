"""Where the samples of a medium that nobody annotated begin and end: always between two steps of the grid.

clips     every 30 s
scenes    where another shot begins
speech    where somebody begins to speak or stops, and in the longest pause of what would be too long
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from schemas.grid import STEP_NS, Span, cut


class CutAt(enum.StrEnum):
    """What decides where a medium is cut."""

    CLIPS = "clips"
    SCENES = "scenes"
    SPEECH = "speech"


@dataclass(frozen=True, slots=True)
class Places:
    """Where one file may be cut, in steps of 0.5 s from its time zero.

    Attributes:
        cuts: ascending, where something else begins.
        pauses: (step, milliseconds of the pause around it), ascending: where a part that is too long is best
            cut.
    """

    cuts: tuple[int, ...] = ()
    pauses: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Cutting:
    """How a build cuts media.

    Attributes:
        longest_ns: of a sample, a multiple of the 0.5 s step; every sample's where nothing else decides.
        shortest_ns: of a sample, likewise, at most half the longest; a medium that is shorter is one sample.
        first: of every row only the first `longest_ns`.
    """

    longest_ns: int
    at: CutAt = CutAt.CLIPS
    shortest_ns: int = 0
    first: bool = False

    def spans(self, duration_ns: int, places: Places | None = None) -> list[Span]:
        """Consecutive spans that cover [0, duration_ns); the last one may end inside a step.

        A place that would leave less than the shortest before or behind it is passed over; what is longer
        than the longest is cut in the longest pause of the second half of what is allowed, else evenly.
        """
        if places is None:
            return cut(duration_ns, self.longest_ns)
        shortest, longest = self.shortest_ns // STEP_NS, self.longest_ns // STEP_NS
        edges = [0]
        for step in places.cuts:
            left_ns = duration_ns - step * STEP_NS
            if step - edges[-1] >= max(shortest, 1) and left_ns >= max(self.shortest_ns, 1):
                edges.append(step)
        edges.append(-(-duration_ns // STEP_NS))
        starts = [at for part in pairwise(edges) for at in _parts(*part, shortest, longest, places.pauses)]
        ends = [*(at * STEP_NS for at in starts[1:]), duration_ns]
        return [Span(start * STEP_NS, end_ns) for start, end_ns in zip(starts, ends, strict=True)]


def _parts(
    start: int, end: int, shortest: int, longest: int, pauses: tuple[tuple[int, int], ...]
) -> Iterator[int]:
    """Where the parts of [start, end) begin."""
    yield start
    while end - start > longest:
        first, last = start + -(-longest // 2), min(start + longest, end - shortest)
        inside = [(length, step) for step, length in pauses if first <= step <= last]
        if inside:
            _, start = max(inside)
        else:
            start += -(-(end - start) // -(-(end - start) // longest))
        yield start
