"""MkDocs reads the pages as GitHub does."""

from __future__ import annotations

import re
from typing import Any

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((\.\./[^)#\s]+)[^)]*\)")
_ITEM = re.compile(r" *([-*]|\d+\.) ")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links into the repository become names; a list needs no empty line before it."""
    lines: list[str] = []
    fenced = False
    for line in markdown.splitlines():
        fenced ^= line.lstrip().startswith("```")
        before = lines[-1] if lines else ""
        begins = _ITEM.match(line) and before and not (_ITEM.match(before) or before.startswith(" "))
        if begins and not fenced:
            lines.append("")
        lines.append(line if fenced else _LINK.sub(_named, line))
    return "\n".join(lines)


def _named(link: re.Match[str]) -> str:
    text, path = link[1], link[2].removeprefix("../")
    return text if path.rstrip("/") in text else f"{text} (`{path}`)"
