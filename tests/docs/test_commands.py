"""What the pages say to type does what they say."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from docs.site.blocks import PAGES, ROOT, RUN, Block, blocks
from docs.site.hooks import on_page_markdown
from pipelines.commands.command import main
from tests.docs.conftest import STAND_INS, stood_in

TYPED = [page for page in PAGES if RUN in page.read_text(encoding="utf-8") and page.name != "README.md"]


def commands(text: str) -> list[Block]:
    return [block for block in blocks(text) if block.commands]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_on_the_site_every_command_is_run_or_says_that_it_is_not(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    shown = commands(on_page_markdown(text))
    assert [block.text for block in shown] == [block.text for block in commands(text)]
    before = on_page_markdown(text).splitlines()
    for block in shown:
        said = " ".join(before[max(0, block.line - 2) : block.line])
        assert "<!-- " in said or "*Not run by a test" in said, block.text


def test_the_readme_says_it_itself() -> None:
    for name in ("README.md", "docs/dataflow.md"):
        assert all(block.marked for block in commands((ROOT / name).read_text(encoding="utf-8"))), name


@pytest.mark.parametrize("page", TYPED, ids=lambda page: page.name)
def test_what_is_typed_works(page: Path, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.mark == RUN:
            for line in typed_lines(stood_in(block.text)):
                status = typed(line)
                assert status == 0, f"{line}: {status}\n{capfd.readouterr().err[-2000:]}"


def typed_lines(text: str) -> list[str]:
    """A command each, with its here-document."""
    return re.findall(r"(?:[^\n]*<<'END'\n.*?\nEND|[^\n]+)", text, re.DOTALL)


def typed(line: str) -> int:
    """Exit status. favor-data runs in this process: its imports take longer than its work."""
    if line.startswith("favor-data "):
        return main(shlex.split(line, comments=True)[1:])
    return subprocess.run(["bash", "-c", line], check=False).returncode


def test_words_are_put_in_place_by_one_table() -> None:
    assert STAND_INS == {
        "--whisper tiny": "--whisper random:tiny",
        "--clip openai/clip-vit-base-patch32": "--clip small-clip",
        "base=whisper:base": "base=whisper:random:tiny",
    }
