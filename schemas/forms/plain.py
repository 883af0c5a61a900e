"""Any value that a file or a library brings -> one that JSON can say and every reader takes.

| what comes | what is kept |
|---|---|
| NaN, infinity | null |
| a decimal | the nearest float64 |
| a timestamp, date or time | text, ISO 8601 |
| a duration | seconds |
| bytes | base64; over 4,096 of them their SHA-256 (`sha256:…`) |
| an integer over 64 bits | its digits, as text |
| half of a surrogate pair | U+FFFD |
| what is nested over 64 levels deep | its JSON, as text |
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np

DEEPEST = 64  # pydantic's JSON reader goes to 200
_MOST_BYTES = 4096
_MOST_DIGITS = 20  # of a 64-bit integer with its sign
_HALF = re.compile("[\ud800-\udfff]")


def plain(value: Any) -> Any:
    """Raises:
    ValueError: nested too deeply, or an integer of too many digits, even for a text.
    """
    try:
        return _plain(value, DEEPEST)
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def _plain(value: Any, levels: int) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    elif isinstance(value, np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, (int, float, Decimal)):
        return _number(value)
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        if not levels:
            return json.dumps(_within(value), default=str)
        if isinstance(value, Mapping):
            return {whole(str(name)): _plain(each, levels - 1) for name, each in value.items()}
        return [_plain(each, levels - 1) for each in value]
    return _text(value)


def _number(value: int | float | Decimal) -> Any:
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    try:
        number = float(value)
    except (ValueError, OverflowError):  # a signalling NaN
        return None
    return number if math.isfinite(number) else None


def _text(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        content = bytes(value)
        if len(content) > _MOST_BYTES:
            return f"sha256:{hashlib.sha256(content).hexdigest()}"
        return base64.b64encode(content).decode()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat() if value == value else None  # pandas.NaT
    return whole(str(value))


def _within(value: Any) -> Any:
    """What `json.dumps` would refuse, or write as no JSON."""
    if isinstance(value, Mapping):
        return {whole(str(name)): _within(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_within(each) for each in value]
    return _plain(value, 1)


def whole(text: str) -> str:
    """Text that UTF-8 can write."""
    return text if text.isascii() else _HALF.sub("\ufffd", text)


def is_whole(text: str) -> bool:
    """Whether UTF-8 can write it: a file's name that is no UTF-8 has half a surrogate pair for each byte."""
    return text.isascii() or _HALF.search(text) is None


def from_json(text: bytes) -> Any:
    """The value of a JSON text in UTF-8; NaN and infinities are read as Python writes them.

    Raises:
        ValueError: no JSON; says where.
    """
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start + 1})") from error
    try:
        return json.loads(decoded)
    except json.JSONDecodeError as error:
        rest = decoded[error.pos : error.pos + 20].strip()
        what = f"wrong from character {error.pos + 1} on: {rest!r}" if rest else "it ends too early"
        raise ValueError(what) from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except ValueError:  # Python reads at most 4,300 digits
        return json.loads(decoded, parse_int=_integer)


def _integer(digits: str) -> int | str:
    return digits if len(digits) > _MOST_DIGITS else int(digits)
