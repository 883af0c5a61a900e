"""`favor-data prune OUT`: deletes what neither the present nor a kept state needs."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.commands.make.summary import bytes_text
from pipelines.commands.of_corpus import parse_of_corpus
from pipelines.commands.parser import Parser
from pipelines.jobs.prune import prune
from pipelines.states.views import check_no_views, release_views


def run(argv: Sequence[str]) -> int:
    """Exit status 0.

    Raises:
        UsageError: no corpus, a build is at work, or a kept state holds what was taken out.
        StorageError.
    """
    parser = Parser(
        prog="favor-data prune",
        description="Delete what no state needs: of inputs that were removed nothing is left.",
    )
    parser.add_argument("corpus", metavar="OUT")
    parser.add_argument("--force", action="store_true", help="let go of what views read, too")
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and delete nothing")
    arguments, output = parse_of_corpus(parser, argv)
    if not arguments.dry_run:
        check_no_views(output, arguments.force)
        release_views(output)  # of views that are no more, and with --force of all
    found = prune(output, arguments.dry_run)
    would = "would be " if arguments.dry_run else ""
    size = bytes_text(sum(found.entries.values()))
    print(
        f"{output}: {len(found.entries)} cache entries, {size}, {would}dropped; "
        f"{len(found.inputs)} removed inputs {would}forgotten"
    )
    return 0
