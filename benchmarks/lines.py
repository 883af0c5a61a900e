"""What every benchmark ends in: lines of ratios, as a table and as JSON; a table's place in a page."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Line:
    """A ratio (or a figure whose name has its unit), and what it was made of."""

    name: str
    value: float
    how: str

    @classmethod
    def ratio(cls, name: str, of: float, over: float) -> Line:
        """Of two times in seconds."""
        return cls(name, of / over, f"{of:.1f} s / {over:.1f} s")

    def __str__(self) -> str:
        return f"{self.name:58}{self.value:9.3f}   {self.how}"


def write(path: Path | None, lines: Iterable[Line]) -> None:
    """Nothing without a path."""
    if path:
        path.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n", encoding="utf-8")


def placed(page: str, begin: str, end: str, text: str) -> str:
    """The page with the text between the two marks, in place of what stood there.

    Raises:
        ValueError: the page has not one place that begins so.
    """
    before, rest = page.split(begin)
    return f"{before}{begin}{text}{end}{rest.partition(end)[2]}"


def write_into(path: Path | None, begin: str, end: str, text: str) -> None:
    """The same of a page on disk; nothing without a path."""
    if path:
        page = placed(path.read_text(encoding="utf-8"), begin, end, text)
        path.write_text(page, encoding="utf-8")


def read(path: Path) -> list[Line]:
    """Inverse of `write`."""
    return [Line(**line) for line in json.loads(path.read_text(encoding="utf-8"))]
