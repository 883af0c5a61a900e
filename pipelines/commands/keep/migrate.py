"""`favor-data migrate OUT`: a corpus of version 1 becomes one of version 2; its shards stay as they are."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.commands.of_corpus import parse_of_corpus
from pipelines.commands.parser import Parser
from pipelines.jobs.rearrange import settled
from pipelines.states.migrate import is_version_1


def run(argv: Sequence[str]) -> int:
    """Exit status 0.

    Raises:
        UsageError: no corpus.
        StorageError: a file of it is missing or damaged.
    """
    parser = Parser(
        prog="favor-data migrate",
        description="Make a corpus of version 1 one of version 2. Any build into it does the same.",
    )
    parser.add_argument("corpus", metavar="OUT")
    _, output = parse_of_corpus(parser, argv)
    old = is_version_1(output)
    state = settled(output)
    print(f"{output}: {'is of version 2 now' if old else 'was of version 2 already'}, state {state.state}")
    return 0
