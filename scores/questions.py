"""Accuracies of answers to questions: VQA's, exact, of options, of yes and no, of a class named."""

from __future__ import annotations

import re
from collections.abc import Sequence

from scores.answers import Answer
from scores.evalai import processed
from scores.measure import Measure, mean

_VOTES = 4  # with fewer references VQA's rule could not give a full score
_LETTER = re.compile(
    r"\s*(?:(?:the )?(?:correct )?(?:answer|option)(?: is|:)?\s*)?\(?([a-j])(?:[).:,]|\s*$)", re.I
)


def vqa(answers: Sequence[Answer]) -> Measure:
    """VQA accuracy (arXiv 1505.00468) with EvalAI's processing: the mean, over the references left out one
    by one, of min(1, equal ones among the others / 3). With fewer than four references: equal to any."""
    return mean("VQA accuracy", [_vqa(answer) for answer in answers])


def _vqa(answer: Answer) -> float:
    said = processed(answer.text)
    equal = [processed(text) == said for text in answer.references]
    if len(equal) < _VOTES:
        return float(any(equal))
    return sum(min(1.0, (sum(equal) - own) / 3) for own in equal) / len(equal)


def exact(answers: Sequence[Answer]) -> Measure:
    """Equal to a reference, capitals, punctuation and spaces apart."""
    return mean("accuracy", [float(plain(a.text) in {plain(text) for text in a.references}) for a in answers])


def contained(answers: Sequence[Answer]) -> Measure:
    """A reference stands in the answer, as whole words."""
    return mean("accuracy (reference contained)", [float(_names(a.text, a.references)) for a in answers])


def named_class(answers: Sequence[Answer]) -> Measure:
    """The class stands in the answer, as whole words."""
    return mean("accuracy (class named)", [float(_names(a.text, a.references)) for a in answers])


def yes_or_no(answers: Sequence[Answer]) -> Measure:
    """The first yes or no of the answer is the reference's; without either it is wrong."""
    return mean("accuracy (yes or no)", [_agrees(answer) for answer in answers])


def _agrees(answer: Answer) -> float:
    said = _verdict(answer.text)
    return float(said is not None and said in {_verdict(text) for text in answer.references})


def _verdict(text: str) -> str | None:
    return next((word for word in plain(text).split() if word in ("yes", "no")), None)


def option(answers: Sequence[Answer]) -> Measure:
    """The option chosen is right: the one whose letter leads the answer, or that it equals, or the only one
    (or the longest) that stands in it. Without `options` the answer must equal a reference."""
    return mean("accuracy (multiple choice)", [_chosen(answer) for answer in answers])


def _chosen(answer: Answer) -> float:
    right = {plain(text) for text in answer.references}
    letters = {plain(chr(65 + n)): plain(text) for n, text in enumerate(answer.options)}
    right |= {letters[name] for name in right if name in letters and name not in letters.values()}
    return float(choice(answer.text, answer.options) in right)


def choice(text: str, options: Sequence[str]) -> str:
    """The option that a text means, in plain words; "" if none."""
    said, texts = plain(text), [plain(each) for each in options]
    if said in texts or not options:
        return said
    letter = _LETTER.match(text)
    if letter and ord(letter[1].lower()) - 97 < len(texts):
        return texts[ord(letter[1].lower()) - 97]
    standing = sorted((each for each in texts if each and f" {each} " in f" {said} "), key=len)
    if not standing or any(other not in standing[-1] for other in standing):
        return ""  # none, or several of which no one holds the others
    return standing[-1]


def dialogue(answers: Sequence[Answer]) -> Measure:
    """An open answer about a film: it equals or holds a reference or, where the reference begins with yes
    or no, says the same."""
    return mean("accuracy", [_open(answer) for answer in answers])


def _open(answer: Answer) -> float:
    if _names(answer.text, answer.references):
        return 1.0
    begins = {words[0] for text in answer.references if (words := plain(text).split())} & {"yes", "no"}
    said = plain(answer.text).split()
    return float(bool(said) and said[0] in begins)


def spoken(answers: Sequence[Answer]) -> Measure:
    """VQA accuracy where a question has the references for it (TextVQA's), else equality (GQA's)."""
    exactly = exact(answers).parts
    return mean(
        "accuracy", [_vqa(a) if len(a.references) >= _VOTES else exactly[n] for n, a in enumerate(answers)]
    )


def plain(text: str) -> str:
    """In small letters, without punctuation, single spaces between words."""
    return " ".join(re.sub(r"[^\w\s']|_", " ", text.lower()).replace("'", "").split())


def _names(text: str, references: Sequence[str]) -> bool:
    said = f" {plain(text)} "
    return any(words and f" {words} " in said for words in map(plain, references))
