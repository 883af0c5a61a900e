"""`verify`: a corpus against itself, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike, fspath

from pipelines.commands.look import checks
from storage import files


@dataclass(frozen=True, repr=False)
class Verified:
    """What a check found; true where there is no fault.

    Attributes:
        faults: one line each: where, and what.
    """

    output: str
    faults: tuple[str, ...]

    def __bool__(self) -> bool:
        return not self.faults

    def __repr__(self) -> str:
        if not self.faults:
            return f"<Verified {self.output}: no fault found>"
        return f"<Verified {self.output}: {len(self.faults)} faults, the first: {self.faults[0]}>"


def verify(output: str | PathLike[str], *, cache: str | PathLike[str] | None = None) -> Verified:
    """`favor-data verify OUT`: shards against index, ledger, cache and corpus.json.

    Args:
        cache: where the features are cached, if elsewhere than in OUT/cache.

    Raises:
        UsageError: no corpus there.
    """
    path = files.absolute(fspath(output))
    return Verified(path, tuple(checks.verify(path, None if cache is None else fspath(cache))))
