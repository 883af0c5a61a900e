"""A model's answers beside what was right: one JSON object a line.

    {"id": "34602", "answer": "a Dakota", "references": ["dakota", …], "type": "textvqa", "options": […]}

`type` and `options` may be left out; `references` may be one text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class AnswersError(ValueError):
    """`FILE:LINE: field: what is wrong`, or a task that there is not."""


@dataclass(frozen=True)
class Answer:
    """One answer; `options`: the texts among which it was to choose."""

    id: str
    text: str
    references: tuple[str, ...]
    type: str | None = None
    options: tuple[str, ...] = ()


def read_answers(path: Path) -> list[Answer]:
    """All answers of a file.

    Raises:
        AnswersError: a line that is not as it should be, an id that stands twice, or no line at all.
        OSError: the file cannot be read.
    """
    seen: dict[str, int] = {}
    answers: list[Answer] = []
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            answer = _answer(f"{path}:{number}", line)
            if answer.id in seen:
                raise AnswersError(f"{path}:{number}: id {answer.id!r} stands on line {seen[answer.id]} too")
            seen[answer.id] = number
            answers.append(answer)
    if not answers:
        raise AnswersError(f"{path}: holds no answers")
    return answers


def _answer(place: str, line: str) -> Answer:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise AnswersError(f"{place}: not a JSON object: {error}") from error
    if not isinstance(values, dict):
        raise AnswersError(f"{place}: not a JSON object")
    name, text = values.get("id"), values.get("answer")
    if isinstance(name, bool) or not isinstance(name, (str, int)):
        raise AnswersError(f"{place}: field 'id': want a text or a number")
    if not isinstance(text, str):
        raise AnswersError(f"{place}: field 'answer': want a text")
    kind = values.get("type")
    if kind is not None and not isinstance(kind, str):
        raise AnswersError(f"{place}: field 'type': want a text")
    references = tuple(_texts(place, values, "references"))
    if not references:
        raise AnswersError(f"{place}: field 'references': none, so there is nothing to compare with")
    return Answer(str(name), text, references, kind or None, tuple(_texts(place, values, "options")))


def _texts(place: str, values: dict[str, Any], name: str) -> Iterator[str]:
    given = values.get(name) or []
    for text in [given] if isinstance(given, str) else given if isinstance(given, list) else [None]:
        if not isinstance(text, str):
            raise AnswersError(f"{place}: field {name!r}: want a list of texts")
        yield text
