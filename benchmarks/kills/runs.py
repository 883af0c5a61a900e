"""Commands, each in a process of its own that was forked from a warm one: a second or two, not ten."""

from __future__ import annotations

import io
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from benchmarks.kills.remembered import remember

PRELOAD = (
    "pipelines.build_corpus",
    "pipelines.commands.make.build",
    "pipelines.commands.keep.prune",
    "pipelines.commands.look.verify",
    "benchmarks.kills.writes",
)
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(list(PRELOAD))


@dataclass(frozen=True)
class Said:
    """How a command ended, and all that it printed."""

    status: int
    text: str


@dataclass(frozen=True)
class Started:
    """A process that runs a function; its answer."""

    process: BaseProcess
    answer: Connection

    def end(self) -> Any:
        """Waits for it: what the function gave; None where the process was killed."""
        try:
            found = self.answer.recv()
        except EOFError:
            found = None
        self.process.join()
        return found


def start(function: Callable[..., Any], *arguments: Any, environ: Mapping[str, str] | None = None) -> Started:
    """Calls a function in a process forked from the warm one."""
    here, there = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_run, args=(there, dict(environ or {}), function, arguments))
    process.start()
    there.close()
    return Started(process, here)


def _run(
    answer: Connection, environ: Mapping[str, str], function: Callable[..., Any], arguments: Any
) -> None:
    from decoders.processes.zygote import ZYGOTE

    os.environ.update(environ)
    remember()
    # It starts when something is to be decoded.
    ZYGOTE.start = lambda resampling=True: None  # type: ignore[method-assign]
    answer.send(function(*arguments))
    os._exit(0)  # as favor-data itself does


def command(argv: Sequence[str]) -> Said:
    """One of favor-data's commands, in this process."""
    from pipelines.commands.command import main

    text = io.StringIO()
    with redirect_stdout(text), redirect_stderr(text):
        status = main(argv)
    return Said(status, text.getvalue())
