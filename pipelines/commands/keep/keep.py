"""`favor-data keep OUT NAME`: pins the present state by a name, or releases one."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.build import present_state
from pipelines.commands.of_corpus import parse_of_corpus
from pipelines.commands.parser import Parser
from pipelines.states.keep import keep, release


def run(argv: Sequence[str]) -> int:
    """Exit status 0.

    Raises:
        UsageError: no corpus, no such name, or the name of another state.
        StorageError.
    """
    parser = Parser(
        prog="favor-data keep",
        description="Pin the present state: later builds leave what it needs, and "
        "open_corpus(OUT, state=NAME) opens it.",
    )
    parser.add_argument("corpus", metavar="OUT")
    parser.add_argument("name", metavar="NAME")
    parser.add_argument(
        "--release",
        action="store_true",
        help="take the name away; the next prune deletes what it alone needed",
    )
    arguments, output = parse_of_corpus(parser, argv)
    if arguments.release:
        release(output, arguments.name)
        print(
            f"{output}: {arguments.name} is released; favor-data prune {output} deletes what it alone needed"
        )
        return 0
    present_state(output)  # of version 1: migrated
    state = keep(output, arguments.name)
    print(f"{output}: state {state.state} is kept as {arguments.name}, {state.counts['samples']} samples")
    return 0
