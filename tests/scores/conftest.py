"""Answers from what a test gives."""

from collections.abc import Sequence

from scores.answers import Answer


def answered(pairs: Sequence[tuple[str, Sequence[str]]]) -> list[Answer]:
    return [Answer(str(n), said, tuple(references)) for n, (said, references) in enumerate(pairs)]
