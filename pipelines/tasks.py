"""What is wanted of one file, of all the samples that need something of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pipelines.products import WINDOW_NS, Product, Products, Stream
from schemas.grid import Grid, cut


@dataclass(frozen=True, slots=True)
class Need:
    """The products that one sample lacks of one stream of one file.

    `content`: as schemas.sample.Source has it. `seconds`: the sample's share in the progress bar. `sound_ns`:
    the length of the file, if it has sound.
    """

    sample: str
    uri: str
    content: str
    stream: Stream
    grid: Grid
    products: tuple[Product, ...]
    seconds: float
    sound_ns: int = 0


@dataclass
class Task:
    """One stream of one span: what is wanted of it, and for whom."""

    content: str
    products: dict[str, Product] = field(default_factory=dict)
    samples: list[str] = field(default_factory=list)
    seconds: float = 0.0


Tasks = dict[tuple[Stream, Grid], Task]


@dataclass(frozen=True, slots=True)
class Hearing:
    """The whole file's sound, wanted for its words: their cache key, the samples that wait, and the pieces,
    in order, in which it is decoded. A sample's span that is a piece too is decoded once."""

    key: str
    samples: tuple[str, ...]
    seconds: float
    pieces: tuple[Grid, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """Which piece of a hearing a waveform is."""

    hearing: Hearing
    number: int

    @property
    def last(self) -> bool:
        return self.number + 1 == len(self.hearing.pieces)


Heard = tuple[Piece, np.ndarray]  # float32 [n], mono, 16 kHz


def tasks_of(needs: Sequence[Need]) -> Tasks:
    """Needs of several samples for the same span meet in one task."""
    tasks: Tasks = {}
    for need in needs:
        if products := {_name(product): product for product in need.products if not product.of_file}:
            task = tasks.setdefault((need.stream, need.grid), Task(need.content))
            task.products |= products
            task.samples.append(need.sample)
            task.seconds += need.seconds
    return tasks


def _name(product: Product) -> str:
    """Samples of one span may be asked different things, and be without its sound."""
    return f"{product.name} {product.fingerprint}" if product.asks or product.full else product.name


def hearing_of(needs: Sequence[Need], products: Products) -> Hearing | None:
    """The file's, if any sample lacks its words."""
    words = products.words()
    waiting = [need for need in needs if words in need.products]
    if words is None or not waiting:
        return None
    spans = cut(max(need.sound_ns for need in waiting), WINDOW_NS)
    return Hearing(
        key=products.key(waiting[0].content, Stream.AUDIO, waiting[0].grid.span, words),
        samples=tuple(need.sample for need in waiting),
        seconds=sum(need.seconds for need in waiting if need.products == (words,)),
        pieces=tuple(products.grid(Stream.AUDIO, span) for span in spans),
    )
