"""The commands of the pages: which blocks there are, and what is said in the line above each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
_COMMAND = re.compile(
    r"^(?:\w+=\S+ )*(?:\.venv/bin/)?"
    r"(?:favor-data|python\S*|make|pip|gcloud|torchrun|bash|tar|for|cat|sed|ffmpeg|git)\b",
    re.MULTILINE,
)
_SHELL = ("", "sh", "bash")
RUN, TOY = "<!-- run -->", "<!-- toy -->"
NOT_RUN = re.compile(r"\*Not run by a test: .+\*")


@dataclass(frozen=True)
class Block:
    """A fenced block; `mark`: the line above it."""

    page: Path
    mark: str
    language: str
    text: str

    @property
    def commands(self) -> bool:
        return self.language in _SHELL and bool(_COMMAND.search(self.text))


def blocks(page: Path) -> Iterator[Block]:
    """Every block of a page, in order."""
    inside: tuple[str, str] | None = None
    lines: list[str] = []
    for before, line in pairwise(["", *page.read_text(encoding="utf-8").splitlines()]):
        if not line.startswith("```"):
            lines.append(line)
        elif inside is None:
            inside, lines = (before.strip(), line.removeprefix("```").strip()), []
        else:
            yield Block(page, *inside, "\n".join(lines))
            inside = None
