"""`favor-data remove OUT INPUT…`: inputs and their samples leave the corpus, and stay out."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.commands import options
from pipelines.commands.parser import Parser
from pipelines.jobs.launch import carry_out
from pipelines.jobs.rearrange import removal
from pipelines.states.views import check_no_views


def run(argv: Sequence[str]) -> int:
    """Exit status 0.

    Raises:
        UsageError: no corpus, or an input that it does not have.
        StorageError.
    """
    parser = Parser(
        prog="favor-data remove",
        description="Take inputs and their samples out; later builds leave them out. "
        "`favor-data prune OUT` then deletes the last traces.",
    )
    parser.add_argument("corpus", metavar="OUT")
    parser.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="as the ledger names it, its id, or a file"
    )
    parser.add_argument("--force", action="store_true", help="also where views read the corpus")
    parser.add_argument("--dry-run", action="store_true", help="say what would leave, and change nothing")
    arguments, beams, output = options.parse_of_corpus(parser, argv)
    job = removal(output, arguments.inputs)
    leaving = [row["input"] for row in job.build.removed]
    if not arguments.dry_run:  # also with nothing to do: the last may have been killed after its commit
        if job.work:
            check_no_views(output, arguments.force)
        carry_out(lambda: removal(output, arguments.inputs), beams, options.warn)
    would = "would leave" if arguments.dry_run else "left"
    for name in leaving:
        print(f"{name}: {would}")
    print(f"{output}: {len(leaving)} inputs {would}; favor-data prune {output} deletes the last traces")
    return 0
