"""Times as annotations write them."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from typing import Any

import numpy as np

_CLOCK = re.compile(r"(?:(\d{1,9}):)?([0-5]?\d):([0-5]?\d(?:[.,]\d+)?)")
_PLAIN = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,2})?")


def seconds_of(value: Any) -> Decimal:
    """Seconds: a number, "12.5", HH:MM:SS.mmm with or without hours and fractions ("01:02.5" is 62.5), or a
    duration or time of day as tables have them.

    Raises:
        ValueError: none of these; or below 0, or no finite number.
    """
    if isinstance(value, np.generic):
        value = value.item()
    seconds = None
    if isinstance(value, str):
        seconds = _written(value.strip())
    elif isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        seconds = Decimal(str(value)) if not isinstance(value, int) or value < 2**63 else None
    elif isinstance(value, datetime.timedelta):
        seconds = Decimal(value // datetime.timedelta(microseconds=1)) / 1_000_000
    elif isinstance(value, datetime.time):
        seconds = _written(value.isoformat())
    if seconds is None or not seconds.is_finite() or seconds < 0:
        raise ValueError(f"{value!r} is not a number of seconds, nor a time as HH:MM:SS.mmm")
    return seconds


def _written(text: str) -> Decimal | None:
    if _PLAIN.fullmatch(text):
        return Decimal(text)
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        return None
    hours, minutes, seconds = clock.groups(default="0")
    return 3600 * int(hours) + 60 * int(minutes) + Decimal(seconds.replace(",", "."))
