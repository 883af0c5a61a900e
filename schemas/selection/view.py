"""A view: a folder whose index names samples of another corpus; nothing of them is copied.

    NEW/view.json        which corpus, which state of it, by which condition
    NEW/index.parquet    the rows, as that corpus's index has them

The corpus keeps that state under the view's name (`kept/view-….json`), and says in `views/` who reads it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Self

VIEW_NAME = "view.json"
VIEWS = "views"  # of the corpus: a file a view
_VERSION = 1


class ViewError(ValueError):
    """No view that this version reads: one line that says why."""


@dataclass(frozen=True)
class View:
    """`corpus`: whole name of the corpus that is read; `state`: the name under which it keeps the state;
    `where`: the condition."""

    corpus: str
    state: str
    where: str

    @classmethod
    def read(cls, content: bytes, name: str) -> Self:
        """Raises:
        ViewError: not a view.
        """
        try:
            said = json.loads(content)
            if said["version"] != _VERSION:
                raise ViewError(f"{name} is of version {said['version']}: install a newer favor-data")
            return cls(*(str(said[field]) for field in ("corpus", "state", "where")))
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, ViewError):
                raise
            raise ViewError(f"{name} is no view of a corpus: {error}") from error

    def to_bytes(self) -> bytes:
        """The file."""
        return (json.dumps({"version": _VERSION, **asdict(self)}, indent=1) + "\n").encode()


def state_name_of(view: str) -> str:
    """Under which a corpus keeps the state of a view, by the view's whole name."""
    return f"view-{hashlib.sha256(view.encode()).hexdigest()[:12]}"
