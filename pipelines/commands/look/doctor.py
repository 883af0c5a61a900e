"""`favor-data doctor`: whether this machine can build, and what to do where it cannot."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial

from pipelines.commands.look import examinations
from pipelines.commands.look.examinations import Finding, Mark
from pipelines.commands.parser import Parser
from pipelines.settings import settings

_SHOWN = {Mark.WELL: "ok", Mark.NOTE: "note", Mark.FAILS: "FAILS"}


def run(argv: Sequence[str]) -> int:
    """Exit status: 0, or 1 where something will fail.

    Raises:
        UsageError: unusable arguments.
    """
    parser = Parser(
        prog="favor-data doctor",
        description="Look at this machine: what a build will find here, and what to do where it will fail.",
    )
    parser.add_argument("--output", metavar="OUT", default=".", help="where the corpus is to lie (here)")
    for option, default in (("--whisper", "large-v2"), ("--clip", "openai/clip-vit-large-patch14")):
        parser.add_argument(option, default=default, metavar="MODEL", help="as build has it (%(default)s)")
    parser.add_argument("--json", action="store_true", help="the findings as JSON, a line each")
    given = parser.parse_args(list(argv))
    asked = settings(output=given.output, whisper=given.whisper, clip=given.clip)
    examined: dict[str, Callable[[], Iterator[Finding]]] = {
        "python": examinations.python,
        "packages": examinations.packages,
        "device": partial(examinations.device, asked),
        "threads": examinations.threads,
        "codecs": examinations.codecs,
        "decoders": examinations.decoders,
        "weights": partial(examinations.weights, asked),
        "disk": partial(examinations.disks, asked),
        "memory": examinations.memory,
        "files": examinations.open_files,
        "self-test": examinations.decoding,
    }
    failed = False
    for what, look in examined.items():
        for finding in _found(what, look):
            failed |= finding.mark is Mark.FAILS
            print(json.dumps(asdict(finding)) if given.json else _line(finding), flush=True)
    return 1 if failed else 0


def _found(what: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What cannot even be looked at is a finding."""
    try:
        yield from look()
    except Exception as error:  # noqa: BLE001 - a doctor meets what is broken
        detail = (str(error).splitlines() or [""])[0]
        yield Finding(Mark.FAILS, what, f"{type(error).__name__}: {detail}", examinations.INSTALL)


def _line(finding: Finding) -> str:
    said = f"{_SHOWN[finding.mark]:<6}{finding.what:<11}{finding.said}"
    return said + (f"\n{'':17}-> {finding.remedy}" if finding.remedy else "")
