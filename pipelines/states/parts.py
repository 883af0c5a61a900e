"""Parts of the tables: bounded Parquet files in `tables/`, named by their content, and how they change."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from pipelines.errors import StorageError
from schemas.rows import INDEX, LEDGER, TALKS, Row, metadata_kinds, read_rows, table_bytes
from schemas.state import PART_ROWS, TABLES, IndexPart, LedgerPart
from storage import files

TALKS_OF = "talks"  # in an index row in memory: its rows of the conversations' table; absent: as they were


class MissingPartError(StorageError):
    """A part that is not there: a newer state has none of it, or somebody deleted it."""


@dataclass(frozen=True)
class Parts:
    """Reads and writes the parts of one corpus."""

    output: str

    def index(self, part: IndexPart) -> list[Row]:
        """Index rows, each with its conversations under TALKS_OF; raises StorageError."""
        rows = read_rows(read_part(self.output, part.table), INDEX)
        talks: dict[str, list[Row]] = {}
        for talk in read_rows(read_part(self.output, part.talks), TALKS):
            talks.setdefault(talk["key"], []).append(talk)
        return [{**row, TALKS_OF: talks.get(row["key"], [])} for row in rows]

    def ledger(self, part: LedgerPart) -> list[Row]:
        """Ledger rows; raises StorageError."""
        return read_rows(read_part(self.output, part.table), LEDGER)

    def with_samples(
        self, parts: Sequence[IndexPart], put: Collection[Row], gone: Mapping[str, str]
    ) -> list[IndexPart]:
        """The index's parts after a change; those that hold none of its shards stay as they are.

        Args:
            put: rows that are new, or take the place of those of the same key.
            gone: key -> base shard of the rows that leave, also of those that `put` brings back elsewhere.
        """
        leaving = set(gone) | {row["key"] for row in put}
        shards = set(gone.values()) | {row["shard"] for row in put}
        standing: list[IndexPart] = []
        opened: list[Row] = []
        for part in parts:
            if any(part.first <= shard <= part.last for shard in shards):
                opened += self.index(part)
            else:
                standing.append(part)
        talks = {row["key"]: row[TALKS_OF] for row in opened}
        rows = [row for row in opened if row["key"] not in leaving]
        rows += [{**row, TALKS_OF: row.get(TALKS_OF, talks.get(row["key"], []))} for row in put]
        rows.sort(key=lambda row: (row["shard"], row["offset"]))
        if rows and standing and _joins(standing[-1], rows):
            rows = self.index(standing.pop()) + rows
        return sorted([*standing, *self._index_parts(rows)], key=lambda part: (part.first, part.last))

    def _index_parts(self, rows: list[Row]) -> list[IndexPart]:
        """Rows as parts of whole shards."""
        made: list[IndexPart] = []
        chunk: list[Row] = []
        for _, shard in groupby(rows, key=lambda row: row["shard"]):
            lying = list(shard)
            if chunk and len(chunk) + len(lying) > PART_ROWS:
                made.append(self._index_part(chunk))
                chunk = []
            chunk += lying
            while len(chunk) > PART_ROWS:
                made.append(self._index_part(chunk[:PART_ROWS]))
                chunk = chunk[PART_ROWS:]
        return [*made, self._index_part(chunk)] if chunk else made

    def _index_part(self, rows: list[Row]) -> IndexPart:
        talks = [talk for row in rows for talk in row[TALKS_OF]]
        extents = [extent for row in rows for extent in (row, *row["columns"])]
        return IndexPart(
            table=self._write("index", table_bytes(rows, INDEX)),
            talks=self._write("conversations", table_bytes(talks, TALKS)),
            first=rows[0]["shard"],
            last=rows[-1]["shard"],
            samples=len(rows),
            steps=sum(row["steps"] for row in rows),
            media_ns=sum(row["end_ns"] - row["start_ns"] for row in rows),
            shards=sum(extent["offset"] == 0 < extent["size"] for extent in extents),
            bytes=sum(extent["size"] for extent in extents),
            conversations=sum(row["conversations"] for row in rows),
            metadata=metadata_kinds(rows),
        )

    def with_inputs(
        self, parts: Sequence[LedgerPart], put: Iterable[Row], dropped: Collection[str]
    ) -> list[LedgerPart]:
        """The ledger's parts after rows were put and inputs dropped; a part that neither concerns stays."""
        firsts = [natural(part.first) for part in parts]
        changes: dict[int, list[Row]] = {}
        for row in put:
            changes.setdefault(max(0, bisect_right(firsts, natural(row["input"])) - 1), []).append(row)
        for name in dropped:
            changes.setdefault(max(0, bisect_right(firsts, natural(name)) - 1), [])
        made: list[LedgerPart] = []
        for place in range(max(1, len(parts))):
            if place not in changes:
                made += parts[place : place + 1]
                continue
            old = {row["input"]: row for row in self.ledger(parts[place])} if parts else {}
            new = old | {row["input"]: row for row in changes[place]}
            rows = sorted(
                (row for name, row in new.items() if name not in dropped),
                key=lambda row: natural(row["input"]),
            )
            made += [self._ledger_part(rows[at : at + PART_ROWS]) for at in range(0, len(rows), PART_ROWS)]
        return made

    def _ledger_part(self, rows: list[Row]) -> LedgerPart:
        remarks: Counter[str] = Counter()
        for row in rows:
            remarks.update({remark["remark"]: remark["count"] for remark in row["remarks"]})
        return LedgerPart(
            table=self._write("ledger", table_bytes(rows, LEDGER)),
            first=rows[0]["input"],
            last=rows[-1]["input"],
            inputs=len(rows),
            statuses=dict(sorted(Counter(row["status"] for row in rows).items())),
            reasons=dict(
                sorted(Counter(row["reason"] for row in rows if row["status"] == "rejected").items())
            ),
            remarks=dict(sorted(remarks.items())),
        )

    def _write(self, kind: str, content: bytes) -> str:
        """Twice the same content is one file."""
        name = part_name(kind, content)
        path = files.join(self.output, *name.split("/"))
        if not files.exists(path):
            files.put(path, content, self.output)
        return name


def read_part(output: str, name: str) -> bytes:
    """Its bytes; raises MissingPartError, StorageError."""
    try:
        return files.read_bytes(files.join(output, *name.split("/")))
    except FileNotFoundError as error:
        raise MissingPartError(f"{output}: {name} is missing: run favor-data verify {output}") from error


def part_name(kind: str, content: bytes) -> str:
    """Of a part of the index, the conversations or the ledger; inside the corpus."""
    return f"{TABLES}/{kind}-{hashlib.sha256(content).hexdigest()[:16]}.parquet"


def _joins(last: IndexPart, rows: list[Row]) -> bool:
    """A few new rows join the last part, so that small builds leave no dust."""
    return last.last < rows[0]["shard"] and last.samples + len(rows) <= PART_ROWS


def natural(name: str) -> tuple[str, int]:
    """`manifest.jsonl:2` before `manifest.jsonl:12`."""
    match = re.fullmatch(r"(.*):(\d+)", name, re.DOTALL)
    return (match[1], int(match[2])) if match else (name, 0)
