"""`favor-data pack OUT`: base and column shards become base shards."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.commands import options
from pipelines.commands.make.summary import held_text
from pipelines.commands.parser import Parser
from pipelines.jobs.launch import carry_out
from pipelines.jobs.rearrange import packing


def run(argv: Sequence[str]) -> int:
    """Exit status 0.

    Raises:
        UsageError: no corpus.
        StorageError.
    """
    parser = Parser(
        prog="favor-data pack",
        description="Write base and column shards together anew: one shard a sample, no small ones.",
    )
    parser.add_argument("corpus", metavar="OUT")
    _, beams, output = options.parse_of_corpus(parser, argv)
    done = carry_out(lambda: packing(output), beams, options.warn)
    if done.state is not None:
        print(f"{output}: {held_text(done.state)}")
    return 0
