"""`favor-data status OUT`: who is at work there, and how far."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pipelines.commands.make.summary import held_text
from pipelines.commands.of_corpus import parse_of_corpus
from pipelines.commands.parser import Parser
from pipelines.errors import UsageError
from pipelines.metrics.so_far import SoFar
from pipelines.states.commit import latest
from pipelines.states.migrate import is_version_1
from schemas.state import State
from storage import files

_SILENT_S = 120.0  # many times the seconds between two words


def run(argv: Sequence[str]) -> int:
    """Exit status 0.

    Raises:
        UsageError: neither a corpus nor anybody at work.
        StorageError.
    """
    parser = Parser(
        prog="favor-data status",
        description="Say which builds are at work on a corpus, on this machine or another, how far each "
        "is, and what the present state holds.",
    )
    parser.add_argument("corpus", metavar="OUT")
    parser.add_argument("--json", action="store_true", help="the same as one line of JSON")
    arguments, output = parse_of_corpus(parser, argv)
    files.sweep(output)  # what was killed here is not at work
    builds, others = at_work(output)
    state = latest(output)
    if state is None and not builds and not others and not is_version_1(output):
        raise UsageError(f"{output} holds no corpus, and nobody is at work on one")
    if arguments.json:
        print(json.dumps(_facts(output, builds, others, state)))
    else:
        print(*_lines(output, builds, others, state), sep="\n")
    return 0


def at_work(output: str) -> tuple[list[dict[str, Any]], int]:
    """What builds say of themselves (pipelines/jobs/telling.py), and the number of other files that are being
    written, those of a build that has said nothing yet among them.

    Raises:
        StorageError.
    """
    there = files.listing(files.join(output, files.STAGING))
    builds = []
    for path in sorted(path for path in there if path.endswith(files.ALIVE)):
        try:
            said = json.loads(files.read_bytes(path))
            SoFar.from_json(said)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            continue  # it has ended, or is being written, or says no more than that somebody lives
        builds.append(said)
    writers = {path.removesuffix(files.ALIVE) for path in there}
    return builds, len(writers) - len(builds)


def _facts(
    output: str, builds: Sequence[Mapping[str, Any]], others: int, state: State | None
) -> dict[str, Any]:
    return {
        "output": output,
        "builds": builds,
        "files_being_written": others,
        "state": state and {"number": state.state, **state.counts},
    }


def _lines(
    output: str, builds: Sequence[Mapping[str, Any]], others: int, state: State | None
) -> Iterator[str]:
    for said in builds:
        since = datetime.fromtimestamp(said["began"], UTC)
        yield (
            f"a build is at work on {said['host']} (process {said['process']}, {said['runner']}) "
            f"since {since:%Y-%m-%d %H:%M:%S} UTC"
        )
        yield f"  {SoFar.from_json(said).line}"
        if (silent := time.time() - said["said"]) > _SILENT_S:
            yield f"  not heard of for {silent / 60:.0f} min: if it is dead, the same command goes on"
    if others and not builds:
        yield "somebody is at work; how far, a build says ten seconds after it began"
    if not others and not builds:
        yield "nobody is at work"
    yield f"{output}: {'no state yet' if state is None else f'state {state.state}: {held_text(state)}'}"
