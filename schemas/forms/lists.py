"""A JSON list, item by item, each as its text: an item that is wrong leaves the next one readable."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import IO

_AT_ONCE = 1 << 16  # bytes
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'


def _next(marks: bytes) -> re.Pattern[bytes]:
    """Up to the first of the marks outside of strings; a quote is one where a string does not end."""
    other = b'[^"' + marks + b"]*"
    return re.compile(other + b"(?:" + _STRING + other + b')*(["' + marks + b"])", re.DOTALL)


_IN_LIST, _IN_ITEM = _next(rb"\[\]{},"), _next(rb"\[\]{}")


def items(stream: IO[bytes], longest: int) -> Iterator[bytes]:
    """The texts between the commas of a list in UTF-8; none of what is empty. Holds one of them, twice.

    Args:
        longest: bytes of one.

    Raises:
        ValueError: no list, one that does not end, or an item that is too long.
    """
    text = stream.read(_AT_ONCE).removeprefix(BOM_UTF8)
    depth = begin = at = 0
    while True:
        while (found := (_IN_ITEM if depth > 1 else _IN_LIST).match(text, at)) and found[1] != b'"':
            kind, end, at = found[1], found.end() - 1, found.end()
            if not depth:
                if kind != b"[" or text[:end].strip():
                    raise ValueError("it does not begin with [ (rows a line each: call it .jsonl)")
                begin = at
            elif depth == 1 and kind in b",]}":
                if item := _item(text, begin, end):
                    yield item
                begin = at
            depth += (kind in b"[{") - (kind in b"]}")
            if not depth:
                _nothing_follows(text[at:], stream)
                return
        part = stream.read(max(_AT_ONCE, len(text) - begin))
        if not part:
            _nothing_begun(text)
            return
        keep = max(begin - 1, 0)  # with the comma before it
        text, at, begin = text[keep:] + part, at - keep, begin - keep
        if len(text) > 2 * longest + _AT_ONCE:
            raise ValueError(f"a row is longer than {longest >> 20} MiB")


def _item(text: bytes, begin: int, end: int) -> bytes:
    item = text[begin:end].strip()
    if not item and b"," in (text[begin - 1 : begin], text[end : end + 1]):
        raise ValueError("a comma without a row")
    return item


def _nothing_begun(text: bytes) -> None:
    if text.strip():
        raise ValueError("it ends too early")


def _nothing_follows(text: bytes, stream: IO[bytes]) -> None:
    while not text.strip():
        text = stream.read(_AT_ONCE)
        if not text:
            return
    raise ValueError("something follows the list")
