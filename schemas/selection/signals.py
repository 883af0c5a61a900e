"""How a sample's signals are stored: `KEY.signals.json`, `KEY.signals.npy`, and columns of the index."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.shard import json_bytes, npy_array, npy_bytes

SIGNALS = "signals"
MEMBERS = (f"{SIGNALS}.json", f"{SIGNALS}.npy")
_TYPES = {"double": pa.float64(), "doubles": pa.list_(pa.float64()), "null": pa.float64()}
Entry = dict[str, Any]  # of one stream: {"values": {name: value}, "series": {name: [value a step]}}


def entry_bytes(values: Mapping[str, Any], series: Mapping[str, Sequence[float | None]]) -> bytes:
    """The cache entry of one stream's signals."""
    return json_bytes({"values": dict(values), "series": dict(series)})


def members(entries: Mapping[str, bytes], steps: int) -> dict[str, bytes]:
    """Suffix -> content of the members of a sample, from the entries of its streams.

    `signals.json`: stream -> {"values": {name: value}, "series": [names]}. `signals.npy`: float32 [steps, k],
    a column a series, in that order; NaN where a step has none. What a still image has stands in every step.
    """
    said: dict[str, Any] = {}
    columns = []
    for stream, content in sorted(entries.items()):
        entry: Entry = json.loads(content)
        said[stream] = {"values": entry["values"], "series": sorted(entry["series"])}
        for name in sorted(entry["series"]):
            column = np.array(entry["series"][name], np.float32)
            columns.append(np.broadcast_to(column, steps) if len(column) == 1 else column)
    table = np.stack(columns, axis=1) if columns else np.zeros((steps, 0), np.float32)
    return dict(zip(MEMBERS, (json_bytes(said), npy_bytes(table)), strict=True))


def entry_in(found: Mapping[str, bytes], stream: str, still: bool) -> bytes | None:
    """The entry that one stream of a sample's members was made from; None: it had none."""
    said = json.loads(found[MEMBERS[0]])
    if stream not in said:
        return None
    table = npy_array(found[MEMBERS[1]])[: 1 if still else None]
    names = [(of, name) for of in sorted(said) for name in said[of]["series"]]
    series = {
        name: [None if value != value else round(value, 6) for value in table[:, at].tolist()]
        for at, (of, name) in enumerate(names)
        if of == stream
    }
    return entry_bytes(said[stream]["values"], series)


def values_text(said: bytes) -> str:
    """What the index holds of a `signals.json`: the values of all streams, as JSON text."""
    values = {name: value for of in json.loads(said).values() for name, value in of["values"].items()}
    return json.dumps(values, sort_keys=True)


def loaded(text: str | None) -> dict[str, Any]:
    """The values in such a text."""
    values: dict[str, Any] = json.loads(text or "{}")
    return values


def kinds(texts: Iterable[str | None]) -> dict[str, str]:
    """Name -> kind of the values in such texts: double, doubles, string, or null where there is none yet."""
    found: dict[str, str] = {}
    for text in texts:
        for name, value in loaded(text).items():
            found[name] = joined(found.get(name, "null"), _kind(value))
    return dict(sorted(found.items()))


def joined(one: str, other: str) -> str:
    """What holds both: a signal has one kind, or none yet."""
    return other if one == "null" else one


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, list):
        return "doubles"
    return "string" if isinstance(value, str) else "double"


def type_of(kind: str) -> pa.DataType:
    """The index's column of a kind."""
    return _TYPES.get(kind, pa.string())


def arrays(texts: Sequence[str | None], of: Mapping[str, str]) -> dict[str, pa.Array]:
    """Name -> column of the values in such texts."""
    values = [loaded(text) for text in texts] if of else []
    return {name: pa.array([row.get(name) for row in values], type_of(kind)) for name, kind in of.items()}
