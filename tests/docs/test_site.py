"""The site builds without a warning and without a network, and has what the code has."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest

import favor_data
from docs.site.blocks import ROOT
from docs.site.generate import pages
from report.remedies import REMEDIES
from schemas import rows
from schemas.reasons import Reason

MKDOCS = """
import socket, sys
def refuse(*arguments): raise OSError("no network")
socket.socket.connect = socket.getaddrinfo = refuse
from mkdocs.__main__ import cli
cli()
"""
TROUBLE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-c", MKDOCS, "build", "--strict", "--site-dir", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]  # a link that leads nowhere, a page outside the menu
    return folder


def test_every_page_is_there_and_asks_for_nothing(site: Path) -> None:
    made = {path.stem for path in site.glob("*.html")}
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} <= made
    for path in site.glob("*.html"):
        page = path.read_text(encoding="utf-8")
        fetched = re.findall(r"<(?:script|img|iframe|source|video|link)\b[^>]*>", page)
        assert not [tag for tag in fetched if re.search(r'(?:src|href)="(?:https?:)?//', tag)], path.name


def test_the_reference_has_every_public_name_with_its_docstring(site: Path) -> None:
    page = (site / "reference.html").read_text(encoding="utf-8")
    for name in set(favor_data.__all__) - {"__version__"}:
        one = getattr(favor_data, name)
        assert f'id="{one.__module__}.{name}"' in page
        first = re.split(r"[^\w ]", one.__doc__.strip())[0]
        assert first in html.unescape(re.sub(r"<[^>]+>", "", page)), name


def test_the_command_has_every_option_and_the_tables_every_column(site: Path) -> None:
    command = (site / "command.html").read_text(encoding="utf-8")
    for word in ("favor-data doctor", "--clip-seconds", "example: favor-data"):
        assert word in command
    for table in (rows.INDEX, rows.TALKS, rows.LEDGER):
        for name in table.names:
            assert re.search(
                rf"<code>{name}(\[\])?</code>", (site / "schema.html").read_text(encoding="utf-8")
            )


def test_every_column_of_a_table_says_what_it_is() -> None:
    tables = pages()["schema.md"].partition("## index.parquet")[2].partition("## Stages")[0]
    silent = re.findall(r"^\| `([\w.\[\]]+)` \| .* \|  \|$", tables, re.MULTILINE)
    assert not silent


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_of_the_ledger_has_a_heading_and_the_reports_remedy(reason: Reason) -> None:
    [said] = re.findall(rf"^### {reason}\n(.*?)(?=^##)", TROUBLE, re.MULTILINE | re.DOTALL)
    words = re.findall(r"\w+", REMEDIES[reason])
    assert words[:3] == re.findall(r"\w+", said)[:3]
    assert len(said) >= len(REMEDIES[reason])


def test_no_heading_is_of_a_reason_that_is_none() -> None:
    by_reason = TROUBLE.partition("## By reason")[2].partition("\n## ")[0]
    assert set(re.findall(r"^### (\w+)$", by_reason, re.MULTILINE)) == {str(reason) for reason in Reason}
