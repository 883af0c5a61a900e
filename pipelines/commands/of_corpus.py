"""What a command on a corpus that stands is asked, read without Beam, which takes a second to import."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from storage import files


def parse_of_corpus(parser: argparse.ArgumentParser, argv: Sequence[str]) -> tuple[argparse.Namespace, str]:
    """A command's own arguments, and the whole name of the argument `corpus`.

    An option that is not the command's may be Beam's (`--s3_region_name`): then Beam reads all of them.

    Raises:
        UsageError: an option that neither knows.
    """
    given, others = parser.parse_known_intermixed_args(list(argv))
    if others:
        from pipelines.commands import options

        given, _, output = options.parse_of_corpus(parser, argv)
        return given, output
    return given, files.absolute(given.corpus)
