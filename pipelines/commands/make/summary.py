"""The closing table of a build."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from schemas.state import State

_SHOWN = 20
_STAGES = 3  # a line of 80 columns
_UNITS = ("B", "kB", "MB", "GB", "TB")


def summarize(
    output: str,
    state: State,
    ledger: Sequence[Mapping[str, Any]],
    profile: Mapping[str, float],
    isolation: Mapping[str, int],
) -> str:
    """What was built, from what, how fast, and what was rejected and why.

    Args:
        ledger: the rows of this build's inputs.
        profile: seconds by stage of this build; empty where there was nothing to do.
        isolation: level -> decoding processes of this build.
    """
    rejected = [row for row in ledger if row["status"] == "rejected"]
    filtered = [row for row in ledger if row["status"] == "filtered"]
    done = len(ledger) - len(rejected) - len(filtered)
    in_part = [row for row in ledger if row["status"] == "done" and row["detail"]]
    parts = f" ({len(in_part)} in part)" if in_part else ""
    remarks = Counter[str]()
    for row in ledger:
        remarks.update({remark["remark"]: remark["count"] for remark in row["remarks"]})
    lines = [
        ("inputs", f"{len(ledger)}: {done} done{parts}, {len(rejected)} rejected{_filtered(filtered)}"),
        ("time", _time(profile)),
    ]
    if isolation:
        lines.append(("decoders", _isolated(isolation)))
    if remarks:
        lines.append(("remarks", ", ".join(f"{name} {count}" for name, count in sorted(remarks.items()))))
    table = [f"  {name:<10}{text}" for name, text in lines]
    told = [
        f"  rejected  {PurePath(row['input']).name}: {row['reason']}: {row['detail']}" for row in rejected
    ]
    told += [f"  in part   {PurePath(row['input']).name}: {row['detail']}" for row in in_part]
    table += told[:_SHOWN]
    if len(told) > _SHOWN:
        table.append(f"  … and {len(told) - _SHOWN} more in ledger.parquet")
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
    ledger: Sequence[Mapping[str, Any]],
    profile: Mapping[str, float],
    isolation: Mapping[str, int],
) -> str:
    """The same for a program, in one line."""
    statuses = Counter(row["status"] for row in ledger)
    rejected = [row for row in ledger if row["status"] == "rejected"]
    return json.dumps(
        {
            "output": output,
            "state": state.state,
            "build": {
                "inputs": len(ledger),
                **{status: statuses[status] for status in ("done", "rejected", "filtered")},
                "in_part": sum(row["status"] == "done" and bool(row["detail"]) for row in ledger),
                "rejected_by_reason": dict(sorted(Counter(row["reason"] for row in rejected).items())),
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


def _filtered(rows: Sequence[Mapping[str, Any]]) -> str:
    """Of inputs none of whose samples passes, and by which rule."""
    return f", {len(rows)} filtered: not {rows[0]['detail']}" if rows else ""


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
