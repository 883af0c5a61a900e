"""`favor-data drop OUT --column X`: a column leaves the corpus."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.commands import options
from pipelines.commands.make.summary import held_text
from pipelines.commands.parser import Parser
from pipelines.errors import UsageError
from pipelines.jobs.launch import carry_out
from pipelines.jobs.rearrange import dropping, settled


def run(argv: Sequence[str]) -> int:
    """Exit status 0.

    Raises:
        UsageError: no corpus, or no such column.
        StorageError.
    """
    parser = Parser(prog="favor-data drop", description="Take a column out of the corpus.")
    parser.add_argument("corpus", metavar="OUT")
    parser.add_argument("--column", required=True, metavar="X", help="of features, or words, frames, audio")
    arguments, beams, output = options.parse_of_corpus(parser, argv)
    try:
        done = carry_out(lambda: dropping(output, arguments.column), beams, options.warn)
    except UsageError:
        settled(output)  # the last one may have been killed after its commit
        raise
    if done.state is not None:
        print(f"{output}: {held_text(done.state)}")
    return 0
