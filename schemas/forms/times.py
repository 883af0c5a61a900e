"""Times as annotations write them."""

from __future__ import annotations

import re
from decimal import Decimal

_CLOCK = re.compile(r"(?:(\d+):)?([0-5]?\d):([0-5]?\d(?:[.,]\d+)?)")
_PLAIN = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,2})?")


def seconds_of(text: str) -> Decimal:
    """Seconds ("12.5"), or HH:MM:SS.mmm with or without hours and fractions ("01:02.5" is 62.5).

    Raises:
        ValueError: neither.
    """
    stripped = text.strip()
    if _PLAIN.fullmatch(stripped):
        return Decimal(stripped)
    clock = _CLOCK.fullmatch(stripped)
    if clock is None:
        raise ValueError(f"{text!r} is not a number of seconds, nor a time as HH:MM:SS.mmm")
    hours, minutes, seconds = clock.groups(default="0")
    return 3600 * int(hours) + 60 * int(minutes) + Decimal(seconds.replace(",", "."))
