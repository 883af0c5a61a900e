"""What a corpus's tables say, gathered for one page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from report.charts import Chart, bars, histogram
from report.remedies import remedy
from schemas.grid import SECOND_NS
from schemas.rows import INDEX
from schemas.state import State
from signals.registry import registered

EXAMPLES = 3  # of each reason
_MOST_VALUES = 40  # of a text column: more are names, not kinds
_COUNTS = {
    "steps": "steps of 0.5 s",
    "audio_steps": "steps with sound",
    "visual_steps": "steps with a frame",
    "conversations": "conversations",
    "words": "words",
}


@dataclass(frozen=True)
class Rejected:
    """Inputs that one reason keeps out."""

    reason: str
    count: int
    remedy: str
    examples: list[tuple[str, str]]  # input, detail


@dataclass(frozen=True)
class Facts:
    """Totals and charts of one state.

    Attributes:
        columns: name, what made it, bytes in the shards.
        stages: name, seconds, of the newest build that did anything.
        notes: of earlier builds, the newest last: when, how long.
    """

    counts: Mapping[str, Any]
    hours: float
    columns: list[tuple[str, str, int]]
    other_bytes: int
    rejected: list[Rejected]
    charts: list[Chart]
    stages: list[tuple[str, float]]
    media_seconds: float
    cached: tuple[int, int] | None  # found in the cache, computed


def facts(state: State, index: pa.Table, ledger: pa.Table, notes: Sequence[Mapping[str, Any]]) -> Facts:
    """Of the present state.

    Args:
        ledger: columns input, status, reason, detail.
        notes: builds/*.json, in order of time.
    """
    held = _feature_bytes(index)
    columns = [
        (name, f"{column.kind} {column.model}, {column.dtype}", held.get(name, 0))
        for name, column in sorted(state.columns.items())
    ]
    last: Mapping[str, Any] = next((note for note in reversed(notes) if len(note.get("seconds", {})) > 1), {})
    seconds = dict(last.get("seconds", {}))
    counters = last.get("counters", {})
    hits, misses = counters.get("cache_hits"), counters.get("cache_misses")
    return Facts(
        counts=state.counts,
        hours=state.media_seconds / 3600,
        columns=columns,
        other_bytes=state.counts["bytes"] - sum(size for _, _, size in columns),
        rejected=list(_rejected(ledger)),
        charts=list(_charts(index)),
        stages=sorted(seconds.items(), key=lambda item: -item[1]),
        media_seconds=float(last.get("media_seconds", 0)),
        cached=None if hits is None or misses is None else (int(hits), int(misses)),
    )


def _feature_bytes(index: pa.Table) -> dict[str, int]:
    if not len(index) or "features" not in index.column_names:
        return {}
    features = pc.list_flatten(index["features"]).combine_chunks()
    sizes = pa.table({name: pc.struct_field(features, name) for name in ("column", "size")})
    totals = sizes.group_by("column").aggregate([("size", "sum")])
    return dict(zip(totals["column"].to_pylist(), totals["size_sum"].to_pylist(), strict=True))


def _rejected(ledger: pa.Table) -> Iterator[Rejected]:
    table = ledger.filter(pc.equal(ledger["status"], "rejected"))
    for found in sorted(table["reason"].value_counts().to_pylist(), key=lambda item: -item["counts"]):
        rows = table.filter(pc.equal(table["reason"], found["values"])).slice(0, EXAMPLES).to_pylist()
        examples = [(row["input"], row["detail"] or "") for row in rows]
        yield Rejected(found["values"], found["counts"], remedy(found["values"]), examples)


def _charts(index: pa.Table) -> Iterator[Chart]:
    units = {signal.name: signal.unit for signal in registered()}
    yield bars("modalities", _counted(_joined(index["modalities"])))
    length = pc.subtract(index["end_ns"], index["start_ns"]).to_numpy() / SECOND_NS
    yield histogram("duration", "seconds", np.asarray(length, np.float64))
    for name in index.column_names:
        if name in INDEX.names and name not in (*_COUNTS, "language"):
            continue
        column = index[name]
        if column.null_count == len(column):
            continue
        if pa.types.is_boolean(column.type):
            yield bars(name, _counted(pc.cast(column, pa.string())))
        elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            values = pc.cast(column, pa.float64()).to_numpy()
            yield histogram(name, _COUNTS.get(name, units.get(name, "")), np.asarray(values, np.float64))
        elif pa.types.is_string(column.type) and pc.count_distinct(column).as_py() <= _MOST_VALUES:
            yield bars(name, _counted(column))


def _joined(lists: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.binary_join(pc.cast(lists, pa.list_(pa.string())), " + ")


def _counted(column: Any) -> list[tuple[str, int]]:
    return [
        ("none" if item["values"] is None else str(item["values"]), item["counts"])
        for item in column.value_counts().to_pylist()
    ]
