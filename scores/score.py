"""AVEB's tasks, and the figures of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scores import captions, questions, words
from scores.answers import Answer, AnswersError
from scores.measure import Measure, Metric, UnavailableError


@dataclass(frozen=True)
class Task:
    """What a task is judged by: its headline, under the metric's name, and what is told beside it."""

    metric: str
    headline: Metric
    others: tuple[tuple[str, Metric], ...] = ()


_CAPTION = (("METEOR", captions.meteor), ("SPICE", captions.spice))
_SPEECH = Task("WER", words.word_error_rate, (("WER as written", words.word_error_rate_as_written),))

TASKS = {
    "ASR": _SPEECH,
    "AVSR": _SPEECH,
    "AC": Task("SPIDEr", captions.spider, (("CIDEr", captions.cider), *_CAPTION)),
    "IC": Task("CIDEr", captions.cider, _CAPTION),
    "OCR": Task("VQA accuracy", questions.vqa, (("reference contained", questions.contained),)),
    "VQA": Task("accuracy", questions.exact, (("reference contained", questions.contained),)),
    "VideoQA": Task("accuracy (multiple choice)", questions.option, (("exact", questions.exact),)),
    "AVSD": Task("accuracy", questions.dialogue, (("CIDEr", captions.cider), ("METEOR", captions.meteor))),
    "ISQA": Task("accuracy", questions.spoken, (("reference contained", questions.contained),)),
    "AVM": Task("accuracy (yes or no)", questions.yes_or_no),
    "AVSSD": Task("accuracy (class named)", questions.named_class),
}


def score(task: str, answers: Sequence[Answer]) -> dict[str, Any]:
    """{task, metric, value, low, high, n, others, tokenizer}.

    `low` and `high` bound 95 % (bootstrap over answers). `value` is null where the headline cannot run:
    `others` then says why, under "unavailable". With types, `others` has "by_type".

    Raises:
        AnswersError: no such task.
    """
    if task not in TASKS:
        raise AnswersError(f"unknown task {task!r}: one of {', '.join(TASKS)}")
    asked = TASKS[task]
    unavailable: dict[str, str] = {}
    headline = _run(asked.metric, asked.headline, answers, unavailable)
    others: dict[str, Any] = {}
    tokenizer = headline.tokenizer if headline else None
    for name, metric in asked.others:
        if found := _run(name, metric, answers, unavailable):
            others[found.name if found.name.startswith(name) else name] = _rounded(found.value)
            tokenizer = tokenizer or found.tokenizer
    if headline:
        others |= {name: _rounded(value) for name, value in headline.more.items()}
        if any(answer.type for answer in answers):
            others["by_type"] = _by_type(headline, answers)
    if unavailable:
        others["unavailable"] = unavailable
    low, high = headline.interval() if headline else (None, None)
    return {
        "task": task,
        "metric": headline.name if headline else asked.metric,
        "value": _rounded(headline.value) if headline else None,
        "low": _rounded(low),
        "high": _rounded(high),
        "n": len(answers),
        "others": others,
        "tokenizer": tokenizer,
    }


def _run(name: str, metric: Metric, answers: Sequence[Answer], unavailable: dict[str, str]) -> Measure | None:
    try:
        return metric(answers)
    except UnavailableError as error:
        unavailable[name] = str(error)
        return None


def _by_type(headline: Measure, answers: Sequence[Answer]) -> dict[str, Any]:
    types = np.array([answer.type or "" for answer in answers])
    found: dict[str, Any] = {}
    for name in sorted(set(types.tolist())):
        part = headline.of(types == name)
        low, high = part.interval()
        found[name or "none"] = {
            "value": _rounded(part.value),
            "low": _rounded(low),
            "high": _rounded(high),
            "n": len(part.parts),
        }
    return found


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 6)
