"""The closing table of a build."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from schemas.state import State

_SHOWN = 20
_STAGES = 3  # a line of 80 columns
_UNITS = ("B", "kB", "MB", "GB", "TB")


class Tally:
    """What the ledger says of a build's inputs, row by row.

    Attributes:
        statuses, reasons, remarks: how many; reasons also of spans, `rejected` of whole inputs alone.
        in_part: inputs that are done, some of whose spans are not.
        lost: inputs that were rejected, and the shares of the others' spans.
        rule: by which inputs were filtered.
        rejected_lines, part_lines: the first, for people.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self.statuses, self.reasons, self.remarks = Counter[str](), Counter[str](), Counter[str]()
        self.rejected = Counter[str]()
        self.in_part, self.lost, self.rule = 0, 0.0, ""
        self.rejected_lines: list[str] = []
        self.part_lines: list[str] = []
        for row in rows:
            self._add(row)

    def _add(self, row: Mapping[str, Any]) -> None:
        status, name = row["status"], PurePath(row["input"]).name
        self.statuses[status] += 1
        self.remarks.update({remark["remark"]: remark["count"] for remark in row["remarks"]})
        gone = [span["reason"] for span in row["outcomes"] if span["reason"]]
        if status == "rejected":
            self.lost += 1
            self.reasons[row["reason"]] += 1
            self.rejected[row["reason"]] += 1
            _first(self.rejected_lines, f"  rejected  {name}: {row['reason']}: {row['detail']}")
        else:
            self.lost += len(gone) / max(1, len(row["outcomes"]))
            self.reasons.update(set(gone))
        if status == "filtered":
            self.rule = self.rule or str(row["detail"])
        if status == "done" and row["detail"]:
            self.in_part += 1
            _first(self.part_lines, f"  in part   {name}: {row['detail']}")


def _first(lines: list[str], line: str) -> None:
    if len(lines) < _SHOWN:
        lines.append(line)


def summarize(
    output: str,
    state: State,
    tally: Tally,
    profile: Mapping[str, float],
    isolation: Mapping[str, int],
) -> str:
    """What was built, from what, how fast, and what was rejected and why.

    Args:
        tally: of this build's inputs.
        profile: seconds by stage of this build; empty where there was nothing to do.
        isolation: level -> decoding processes of this build.
    """
    inputs, rejected, filtered = (
        tally.statuses.total(),
        tally.statuses["rejected"],
        tally.statuses["filtered"],
    )
    parts = f" ({tally.in_part} in part)" if tally.in_part else ""
    by_rule = f", {filtered} filtered: not {tally.rule}" if filtered else ""
    done = inputs - rejected - filtered
    lines = [
        ("inputs", f"{inputs}: {done} done{parts}, {rejected} rejected{by_rule}"),
        ("time", _time(profile)),
    ]
    if isolation:
        lines.append(("decoders", _isolated(isolation)))
    if tally.remarks:
        remarks = ", ".join(f"{name} {count}" for name, count in sorted(tally.remarks.items()))
        lines.append(("remarks", remarks))
    table = [f"  {name:<10}{text}" for name, text in lines]
    shown = [*tally.rejected_lines, *tally.part_lines][:_SHOWN]
    table += shown
    if left := rejected + tally.in_part - len(shown):
        table.append(f"  … and {left} more in ledger.parquet")
    counts = state.counts
    lines = [
        ("inputs", f"{counts['inputs'] - counts['removed']}"),
        ("samples", f"{counts['samples']}, {counts['steps']} steps of 0.5 s"),
        ("shards", f"{counts['shards']}, {bytes_text(counts['bytes'])}"),
        ("media", f"{state.media_seconds:.1f} s"),
    ]
    for name, column in sorted(state.columns.items()):
        untrained = ", UNTRAINED" if column.untrained else ""
        lines.append((name, f"{column.kind} {column.model}, {column.dtype}{untrained}"))
    return "\n".join(
        ["this build", *table, f"the corpus, {output}", *(f"  {name:<10}{text}" for name, text in lines)]
    )


def fitted(text: str, columns: int) -> str:
    """No line longer than that many columns, unless a word is."""
    wrapped = (
        textwrap.wrap(line, columns, subsequent_indent=" " * 12, break_long_words=False) or [""]
        for line in text.splitlines()
    )
    return "\n".join(line for lines in wrapped for line in lines)


def as_json(
    output: str,
    state: State,
    tally: Tally,
    profile: Mapping[str, float],
    isolation: Mapping[str, int],
) -> str:
    """The same for a program, in one line."""
    return json.dumps(
        {
            "output": output,
            "state": state.state,
            "build": {
                "inputs": tally.statuses.total(),
                **{status: tally.statuses[status] for status in ("done", "rejected", "filtered")},
                "in_part": tally.in_part,
                "rejected_by_reason": dict(sorted(tally.rejected.items())),
                "seconds": dict(profile),
                "isolation": dict(isolation),
            },
            "corpus": {
                **state.counts,
                "media_seconds": state.media_seconds,
                "columns": {name: column.model for name, column in sorted(state.columns.items())},
            },
        },
        sort_keys=True,
    )


def _isolated(isolation: Mapping[str, int]) -> str:
    said = ", ".join(f"isolation {level} in {processes}" for level, processes in isolation.items())
    on = set(isolation) == {"on"}
    return said + ("" if on else ": favor-data doctor says why (docs/security.md)")


def _time(profile: Mapping[str, float]) -> str:
    """The whole, and what most of it went to; stages that overlap add up to more."""
    if not profile:
        return "nothing to do"
    stages = sorted(((value, name) for name, value in profile.items() if name != "build"), reverse=True)
    spent = ", ".join(f"{name} {value:.3g} s" for value, name in stages[:_STAGES] if value >= 0.05)
    return f"{profile['build']:.1f} s: {spent}"


def held_text(state: State) -> str:
    """What its shards hold, in words."""
    counts = state.counts
    return f"{counts['samples']} samples, {counts['shards']} shards, {bytes_text(counts['bytes'])}"


def bytes_text(size: float) -> str:
    """ "9.35 MB"."""
    for unit in _UNITS[:-1]:
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} {_UNITS[-1]}"
