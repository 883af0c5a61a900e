"""What the pages say to type does what they say."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from pipelines.commands.command import main
from tests.docs.blocks import NOT_RUN, PAGES, RUN, TOY, blocks
from tests.docs.conftest import STAND_INS, stood_in

TYPED = [
    page for page in PAGES if page.name != "README.md" and any(block.mark == RUN for block in blocks(page))
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_run_or_says_why_not(page: Path) -> None:
    marks = {block.text: block.mark for block in blocks(page) if block.commands}
    silent = [text for text, mark in marks.items() if mark not in (RUN, TOY) and not NOT_RUN.fullmatch(mark)]
    assert not silent


@pytest.mark.parametrize("page", TYPED, ids=lambda page: page.name)
def test_what_is_typed_works(page: Path, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for block in blocks(page):
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
