"""What is wrong with a row, in the words of whoever wrote it."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

_FILE = "must be the name of a file, as text"
_WANTED = {
    "id": "must be a text of 1 to 4,096 characters, or a whole number",
    "media": _FILE,
    "video": _FILE,
    "audio": _FILE,
    "image": _FILE,
    "start": "must be a number of seconds, 0 or more",
    "end": "must be a number of seconds, above 0",
    "conversations": 'must be a list of turns, {"from": "human" or "gpt", "value": text}',
    "metadata": "must be an object: names and values",
}
_TURN = {
    "from": "must be 'human' or 'gpt'",
    "value": "must be a text",
}


def first_fault(error: ValidationError) -> str:
    """The first thing that is wrong with a row, with its field."""
    fault = error.errors(include_url=False)[0]
    place, kind, given = fault["loc"], fault["type"], fault.get("input")
    message = fault["msg"].removeprefix("Value error, ")
    if not place:
        shown = f"must be an object with named fields, not {short(given)}"
        return message if kind == "value_error" else shown
    field = f"field '{'.'.join(map(str, place))}'"
    wanted = _WANTED.get(str(place[0]), message)
    if len(place) > 1:
        wanted = _TURN.get(str(place[-1]), wanted)
    if kind == "missing":
        return f"{field}: is missing; it {wanted}"
    if kind == "string_unicode":
        return f"{field}: is not UTF-8: {short(given)}"
    if kind == "extra_forbidden":
        return f"{field}: a turn has 'from' and 'value', no more"
    return f"{field}: {wanted}, not {short(given)}"


def short(value: Any) -> str:
    """A value as a message shows it."""
    if value is None:
        return "null"
    kinds = ((bool, ""), (dict, "an object"), (list, "a list"), (bytes, "bytes"))
    for kind, name in kinds:
        if isinstance(value, kind):
            return name or str(value).lower()
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:50]}…"
