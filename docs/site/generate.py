"""Pages that are made from the code, each time the site is built."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

import favor_data
from docs.site.tables import columns, comments, fields, prose, table
from pipelines.commands import command
from schemas import rows
from schemas.corpus import Column
from schemas.manifest import ManifestRow, Turn
from schemas.reasons import Reason, Remark, Stage
from schemas.sample import Sample
from schemas.state import IndexPart, LedgerPart, State

ROOT = Path(__file__).parents[2]
_MADE = "Made from the code.\n"


def _closed_set(kind: type[Reason] | type[Remark] | type[Stage]) -> str:
    source = (ROOT / "schemas" / "reasons.py").read_text(encoding="utf-8")
    said = dict(re.findall(r'^    \w+ = "(\w+)"(?:  # (.*))?$', source, re.MULTILINE))
    return table(("name", "what"), [(f"`{one}`", said[str(one)]) for one in kind])


def schema() -> str:
    """schema.md."""
    said = comments(ROOT / "schemas" / "rows.py")
    extent = said["_EXTENT"]
    index = columns(rows.INDEX, [{**extent, **said["INDEX"]}, {**extent, **said["_LAYER"]}, said["_FEATURE"]])
    talks = columns(rows.TALKS, [said["TALKS"], said["_TURN"]])
    ledger = columns(rows.LEDGER, [said["LEDGER"], said["_OUTCOME"], said["_REMARK"]])
    stored = ", ".join(f"`{name}`" for name in Sample.__dataclass_fields__)
    parts = {
        "A manifest's row": f"{fields(ManifestRow)}\n\nA turn of a conversation:\n\n{fields(Turn)}",
        "KEY.json": f"{prose(Sample.__doc__ or '')}\n\nStored: {stored}, `version`, `span_ns`.",
        "index.parquet": f"A row a sample. Metadata and signals are columns beside these.\n\n{index}",
        "conversations.parquet": f"A row a conversation.\n\n{talks}",
        "ledger.parquet": f"A row an input.\n\n{ledger}",
        "Stages": _closed_set(Stage),
        "Reasons": f"[troubleshooting.md](troubleshooting.md) says what to do.\n\n{_closed_set(Reason)}",
        "Remarks": f"In `KEY.json` and the ledger; [media.md](media.md) says more.\n\n{_closed_set(Remark)}",
        "A state": fields(State),
        "A column of a state, and of corpus.json": fields(Column),
        "A part of the index": fields(IndexPart),
        "A part of the ledger": fields(LedgerPart),
    }
    text = "\n\n".join(f"## {title}\n\n{content}" for title, content in parts.items())
    return f"# Tables and members\n\n{_MADE}\n[format.md](format.md) says what they are for.\n\n{text}\n"


def commands() -> str:
    """command.md."""
    names = re.findall(r"^  (\w+) ", command.USAGE, re.MULTILINE)
    parts = [f"# The command\n\n{_MADE}\n```text\n{command.USAGE}\n```\n"]
    with mock.patch.dict(os.environ, COLUMNS="100"):
        for name in names:
            told = io.StringIO()
            with contextlib.redirect_stdout(told), contextlib.suppress(SystemExit):
                command.main([name, "--help"])
            parts.append(f"## favor-data {name}\n\n```text\n{told.getvalue().strip()}\n```\n")
    return "\n".join(parts)


def reference() -> str:
    """reference.md: every public name, for mkdocstrings."""
    public = {name: getattr(favor_data, name) for name in favor_data.__all__ if name != "__version__"}
    names = sorted(public, key=str.lower)
    parts = "\n".join(f"::: {public[name].__module__}.{name}\n" for name in names)
    return (
        "# Python\n\nWhat `favor_data.__all__` lists, by its docstrings; "
        f"[api.md](api.md) shows them at work.\n\n{parts}"
    )


def pages() -> Mapping[str, str]:
    """File -> its content."""
    return {"schema.md": schema(), "command.md": commands(), "reference.md": reference()}
