"""Which of a vision transformer's tokens are kept."""

from __future__ import annotations

import re
from dataclasses import dataclass

from featurizers.errors import ModelUnavailable


@dataclass(frozen=True, slots=True)
class Tokens:
    """Which of the last hidden state's tokens are kept.

    "patch": every patch token, row by row (the class token left out); "cls": the class token; "all": both,
    the class token first, as FAVOR's Q-Former reads them; "pool:NxM": the patch grid averaged to N rows of M.
    """

    kind: str
    grid: tuple[int, int] | None = None

    @classmethod
    def parse(cls, text: str) -> Tokens:
        """Raises ModelUnavailable for anything but patch, cls, all, pool:NxM."""
        if text in ("patch", "cls", "all"):
            return cls(text)
        match = re.fullmatch(r"pool:([1-9]\d{0,2})x([1-9]\d{0,2})", text)
        if match is None:
            raise ModelUnavailable(f"unknown tokens {text!r}: choose patch, cls, all or pool:NxN (pool:4x4)")
        return cls("pool", (int(match[1]), int(match[2])))

    def __str__(self) -> str:
        return self.kind if self.grid is None else f"pool:{self.grid[0]}x{self.grid[1]}"

    def check(self, model: str, patches_a_side: int) -> None:
        """Raises:
        ModelUnavailable: finer than the model's patches.
        """
        if self.grid is not None and max(self.grid) > patches_a_side:
            raise ModelUnavailable(f"{self}: {model!r} has only {patches_a_side}x{patches_a_side} patches")

    def count(self, patches_a_side: int, class_token: bool) -> int:
        """Tokens a frame of an encoder that has a class token, or has none."""
        if self.grid is not None:
            return self.grid[0] * self.grid[1]
        if self.kind == "cls":
            return 1
        return patches_a_side**2 + int(class_token and self.kind == "all")


PATCH = Tokens("patch")
