"""MkDocs reads the pages as GitHub does; pages that are made from the code join them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from docs.site.blocks import blocks
from docs.site.generate import pages

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((\.\./[^)#\s]+)[^)]*\)")
_ITEM = re.compile(r" *([-*]|\d+\.) ")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds what is made from the code."""
    from mkdocs.structure.files import File

    for name, text in pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links into the repository become names; a list needs no empty line before it; commands that no test
    types say so."""
    lines: list[str] = []
    fenced = False
    silent = {block.line for block in blocks(markdown) if block.commands and not block.marked}
    for number, line in enumerate(markdown.splitlines()):
        if number in silent:
            lines += ["", "*Not run by a test.*", ""]
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
