"""The command line's parser, without what the commands need: not all of them need Beam."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable
from typing import Any, ClassVar

from pipelines.errors import UsageError

# Command -> a line to type.
EXAMPLES = {
    "build": "favor-data build videos/ --output corpus --whisper small --limit 10",
    "cache": "favor-data cache stats corpus",
    "card": "favor-data card corpus",
    "completion": "favor-data completion bash > ~/.local/share/bash-completion/completions/favor-data",
    "doctor": "favor-data doctor --output corpus --whisper small",
    "duplicates": "favor-data duplicates corpus",
    "drop": "favor-data drop corpus --column clip",
    "estimate": "favor-data estimate pilot --hours 1000",
    "index": "favor-data index corpus --for lhotse",
    "keep": "favor-data keep corpus before-cleaning",
    "list": "favor-data list corpus --urls",
    "migrate": "favor-data migrate corpus",
    "pack": "favor-data pack corpus",
    "prune": "favor-data prune corpus",
    "push": "favor-data push corpus hf://datasets/you/corpus --dry-run",
    "recipe": "favor-data recipe coco --annotations captions.json --media images --output list.jsonl",
    "remove": "favor-data remove corpus videos/private.mp4",
    "report": "favor-data report corpus --output corpus.html",
    "score": "favor-data score --task ASR --answers answers.jsonl",
    "select": "favor-data select corpus --where 'steps >= 20' --output long",
    "show": "favor-data show corpus KEY",
    "verify": "favor-data verify corpus",
}


def meant(given: str, known: Iterable[str]) -> str:
    """The end of a line that says what is unknown: what is nearest to it, or where to look."""
    near = difflib.get_close_matches(given, list(known), n=1)
    return f": did you mean {near[0]}?" if near else " (--help lists them)"


class Parser(argparse.ArgumentParser):
    """Raises UsageError where argparse would print its usage and leave; its help ends with an example.

    Attributes:
        asked: the parser whose help was asked for last.
    """

    asked: ClassVar[Parser | None] = None

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        if example := EXAMPLES.get(self.prog.removeprefix("favor-data ")):
            self.epilog = f"example: {example}" + (f"\n\n{self.epilog}" if self.epilog else "")
            self.formatter_class = argparse.RawDescriptionHelpFormatter

    def print_help(self, file: Any = None) -> None:
        Parser.asked = self
        super().print_help(file)

    def error(self, message: str) -> Any:
        raise UsageError(f"{message} ({self.prog} --help lists the options)")
