"""What a sample's KEY.json says of where its media lie: `--uris full`, `relative` or `hashed`."""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.storage.listing import local, place
from storage import files

URIS = ("full", "relative", "hashed")
_INSIDE = re.compile(r"((?:tar|parquet)://.*::)(?=/|[a-zA-Z][-a-zA-Z0-9+.]*://)", re.DOTALL)


@dataclass(frozen=True)
class Shown:
    """How uris are written.

    Attributes:
        how: one of URIS.
        roots: the folders that the SOURCEs are or lie in; a relative name counts from the deepest that holds
            the file, and is the file's own name where none does.
    """

    how: str = "full"
    roots: tuple[str, ...] = ()

    def __call__(self, uri: str) -> str:
        if self.how == "full":
            return uri
        if self.how == "hashed":
            return f"sha256:{hashlib.sha256(uri.encode()).hexdigest()}"
        inside = _INSIDE.match(uri)
        member = inside[1] if inside else ""
        file = place(uri[len(member) :])
        held = [root for root in self.roots if file.startswith(root)]
        return member + (file[max(map(len, held)) :] if held else file.rpartition("/")[2])


def roots_of(sources: Sequence[str]) -> tuple[str, ...]:
    """The folder of each SOURCE, with a slash at its end."""
    return tuple(dict.fromkeys(_root(place(local(source))) for source in sources))


def _root(source: str) -> str:
    if source.endswith("/") or (files.is_local(source) and Path(source).is_dir()):
        folder = source
    elif glob.has_magic(source) and not files.scheme(source).startswith("http"):
        folder = re.split(r"[*?[]", source)[0].rpartition("/")[0]
    else:
        folder = files.split(source)[0]
    return files.absolute(folder or ".").rstrip("/") + "/"
