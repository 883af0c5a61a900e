"""Features lie once while a build runs too: what a shard holds leaves the corpus's own cache as soon as the
shard is there.

A note beside the claims says which entries went. Whoever finds notes of a build that ended before its commit
takes the entries back, and goes on as if they had never left.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipelines.states.listed import listed
from pipelines.storage.cache import Cache
from schemas.corpus import CACHE_NAME
from schemas.features import entry_of
from schemas.shard import Extent, json_bytes, read_extent
from schemas.state import CLAIMS
from storage import files

_NOTE = ".handed.json"


@dataclass(frozen=True, slots=True)
class Handed:
    """Entries of the cache that a sample in a shard was made of: name -> the members that hold it."""

    extent: Extent
    entries: Mapping[str, tuple[str, ...]]


def hand_over(output: str, shard: str, samples: Iterable[Handed]) -> None:
    """Deletes the entries from the cache; the shard is there.

    Raises:
        StorageError.
    """
    handed = [sample for sample in samples if sample.entries]
    if not handed:
        return
    cache = Cache(files.join(output, CACHE_NAME))
    note = {"shard": shard, "samples": [asdict(sample) for sample in handed]}
    files.put(_note(output, shard), json_bytes(note), output)
    files.delete_many([cache.at(name) for sample in handed for name in sample.entries])


def take_back(output: str, committed: Collection[str] = ()) -> list[str]:
    """Puts into the cache what notes say went from it, but for shards that a state names; the notes go.

    Returns the paths of their shards: for who knows that nobody is at work to delete.

    Raises:
        StorageError.
    """
    notes = {
        path: json.loads(files.read_bytes(path))
        for name, path in listed(output, CLAIMS).items()
        if name.endswith(_NOTE)
    }
    left = {path: note for path, note in notes.items() if note["shard"] not in committed}
    for note in left.values():
        _take_back(output, note)
    files.delete_many(list(left))
    return [_path(output, note["shard"]) for note in left.values()]


def took_back(output: str, shard: str) -> bool:
    """Whether there was a note of this shard: written before, and what it was made of is cached again.

    Raises:
        StorageError.
    """
    path = _note(output, shard)
    if not files.exists(path):
        return False
    _take_back(output, json.loads(files.read_bytes(path)))
    return True


def _take_back(output: str, note: Any) -> None:
    """What the shard does not hold as noted is computed again."""
    shard, cache = _path(output, note["shard"]), Cache(files.join(output, CACHE_NAME))
    for sample in note["samples"]:
        extent = Extent(**sample["extent"])
        try:
            data = files.read_range(shard, extent.offset, extent.size)
        except FileNotFoundError:
            return
        if hashlib.sha256(data).hexdigest() == extent.sha256:
            held = read_extent(data)
            for name, members in sample["entries"].items():
                content = entry_of({member: held[member] for member in members})
                files.put(cache.at(name), content, cache.root, durable=False)


def _note(output: str, shard: str) -> str:
    return files.join(output, CLAIMS, shard.replace("/", "-") + _NOTE)


def _path(output: str, name: str) -> str:
    return files.join(output, *name.split("/"))
