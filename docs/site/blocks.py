"""The blocks of a page, and what is said of each in the line above it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
RUN = "<!-- run -->"  # typed by tests/docs; other such marks are those of other tests
_COMMAND = re.compile(
    r"^(?:\w+=\S+ )*(?:\.venv/bin/)?"
    r"(?:favor-data|python\S*|make|pip|gcloud|torchrun|bash|tar|for|cat|sed|ffmpeg|git)\b",
    re.MULTILINE,
)
_SHELL = ("", "sh", "bash")
_MARKED = re.compile(r"<!-- \w+ -->|\*Not run by a test(: .+)?\*")


@dataclass(frozen=True)
class Block:
    """A fenced block; `mark`: the line above it; `line`: number of its first fence's, from 0."""

    line: int
    mark: str
    language: str
    text: str

    @property
    def commands(self) -> bool:
        """Whether somebody would type it."""
        return self.language in _SHELL and bool(_COMMAND.search(self.text))

    @property
    def marked(self) -> bool:
        """Whether the page says that a test types it, or that none does."""
        return bool(_MARKED.fullmatch(self.mark))


def blocks(text: str) -> Iterator[Block]:
    """Every block of a page, in order."""
    inside: tuple[int, str, str] | None = None
    lines: list[str] = []
    for number, (before, line) in enumerate(pairwise(["", *text.splitlines()])):
        if not line.startswith("```"):
            lines.append(line)
        elif inside is None:
            inside, lines = (number, before.strip(), line.removeprefix("```").strip()), []
        else:
            yield Block(*inside, "\n".join(lines))
            inside = None
