"""The Flex Template's program: Dataflow names every parameter, `favor-data build` takes SOURCEs without."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines.commands.command import main


def build_arguments(named: Sequence[str]) -> list[str]:
    """`--sources=A,B` becomes the SOURCEs A and B; everything else stays."""
    sources = [argument.partition("=")[2] for argument in named if argument.startswith("--sources=")]
    others = [argument for argument in named if not argument.startswith("--sources=")]
    return ["build", *(uri for text in sources for uri in text.split(",")), *others]


if __name__ == "__main__":
    sys.exit(main(build_arguments(sys.argv[1:])))
