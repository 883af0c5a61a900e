"""`favor-data completion SHELL`: what a shell completes of the command, from the commands' own parsers."""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Callable, Mapping, Sequence

import shtab

from pipelines.commands.parser import Parser

_SHELLS = ("bash", "zsh", "fish")


def run(argv: Sequence[str], commands: Mapping[str, Callable[[list[str]], int]]) -> int:
    """Exit status 0.

    Args:
        commands: name -> what runs it.

    Raises:
        UsageError: another shell.
    """
    parser = Parser(
        prog="favor-data completion",
        description="Print what a shell completes: commands, options and their choices, and files.",
    )
    parser.add_argument("shell", choices=_SHELLS)
    shell = parser.parse_args(list(argv)).shell
    whole = argparse.ArgumentParser(prog="favor-data")
    known = whole.add_subparsers(metavar="COMMAND")
    for name in sorted(commands):
        one = parser if name == "completion" else _parser(commands[name])
        known.add_parser(name, parents=[one], help=one.description, add_help=False)
    print(shtab.complete(whole, shell=shell))
    return 0


def _parser(command: Callable[[list[str]], int]) -> Parser:
    """The one that its help is printed from."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        command(["--help"])
    found = Parser.asked
    assert found is not None
    for action in found._actions:
        if action.nargs != 0 and action.choices is None:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # shtab's own way
    return found
