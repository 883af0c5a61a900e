"""What a listing says of a file, and how long an unfinished one is left alone."""

from __future__ import annotations

from typing import NamedTuple

STAGING = ".tmp"
STALE_S = 24 * 3600.0
HEARTBEAT_S = 3600.0
TOLD_S = 10.0  # between two words of how far a writer is
ALIVE = ".alive"  # ends the name of what a writer says, beside its file


class Entry(NamedTuple):
    """Bytes, and a text that changes with the content: size with etag, generation, or time of writing."""

    size: int
    version: str
