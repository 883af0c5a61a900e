"""The command line's parser, without what the commands need: not all of them need Beam."""

from __future__ import annotations

import argparse
from typing import Any

from pipelines.errors import UsageError


class Parser(argparse.ArgumentParser):
    """Raises UsageError where argparse would print its usage and leave."""

    def error(self, message: str) -> Any:
        raise UsageError(f"{message} ({self.prog} --help lists the options)")
