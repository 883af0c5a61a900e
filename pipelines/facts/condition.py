"""`--where`: which samples a build writes, by what their index rows would say."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from pipelines.errors import UsageError
from schemas.manifest import InputRow
from schemas.rows import INDEX, Row, Wide, joined_kind, metadata_kinds
from schemas.selection.where import Where, WhereError
from schemas.state import IndexPart
from signals.registry import registered
from signals.signal import Kind

_KINDS = {Kind.NUMBER: "double", Kind.TIMES: "doubles", Kind.TEXT: "string"}
# What is known before a sample is written: not where it will lie.
_PLACED = {"shard", "offset", "size", "sha256", "content", "columns", "features", "members", "record", "head"}


@dataclass(frozen=True)
class Condition:
    """The condition, and the columns that it may name."""

    text: str
    wide: Wide

    def passed(self, rows: Sequence[Row]) -> list[bool]:
        """Of rows of the index, as far as they are known; NULL does not pass.

        Raises:
            WhereError: a value that the condition fails on.
        """
        schema = pa.schema([field.with_nullable(True) for field in INDEX if field.name not in _PLACED])
        known = [{name: row.get(name) for name in schema.names} for row in rows]
        table = self.wide.widened(pa.Table.from_pylist(known, schema=schema))
        found: list[bool] = Where(self.text).passed(table).mask.tolist()
        return found


def condition(
    text: str, rows: Iterable[InputRow], parts: Iterable[IndexPart], measured: Collection[str]
) -> Condition:
    """Of a build of these rows into a corpus of these parts, which measures these signals.

    Raises:
        UsageError: no condition, or one that names a column that there will not be.
    """
    before = Wide.of(parts)
    metadata = metadata_kinds({"metadata": json.dumps(row.metadata, default=str)} for row in rows)
    for name, kind in before.metadata.items():
        metadata[name] = joined_kind(metadata.get(name, kind), kind)
    signals = {one.name: _KINDS[one.kind] for one in registered() if one.name in measured}
    made = Condition(text, Wide(dict(sorted(metadata.items())), dict(sorted(signals.items()))))
    try:
        made.passed([])
    except WhereError as error:
        hint = "" if measured else " (signals are columns with --signals)"
        raise UsageError(f"--where {error}{hint}") from error
    return made
