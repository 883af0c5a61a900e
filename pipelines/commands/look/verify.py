"""`favor-data verify OUT`: every fault of a corpus, a line each."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.commands.look.checks import verify
from pipelines.commands.look.view import view_faults
from pipelines.commands.of_corpus import parse_of_corpus
from pipelines.commands.parser import Parser
from pipelines.errors import UsageError
from pipelines.states.views import read_view
from schemas.selection.view import ViewError


def run(argv: Sequence[str]) -> int:
    """Exit status: 0 without a fault, 1 with.

    Raises:
        UsageError: no corpus there.
    """
    parser = Parser(prog="favor-data verify", description="Check a corpus, byte for byte.")
    parser.add_argument("corpus", metavar="OUT")
    parser.add_argument("--cache", metavar="DIR", help="where the features are cached (OUT/cache)")
    arguments, output = parse_of_corpus(parser, argv)
    try:
        view = read_view(output)
    except ViewError as error:
        raise UsageError(str(error)) from error
    faults = list(view_faults(output, view)) if view else verify(output, arguments.cache)
    for fault in faults:
        print(fault)
    print(f"{output}: {len(faults)} faults" if faults else f"{output}: no fault found")
    return 1 if faults else 0
