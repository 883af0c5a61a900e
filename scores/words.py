"""Word error rate, by jiwer, after Whisper's English normaliser."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from scores.answers import Answer
from scores.measure import Measure, UnavailableError


def word_error_rate(answers: Sequence[Answer]) -> Measure:
    """Errors over words of the references, both normalised (arXiv 2212.04356, appendix C); of several
    references the one with the lowest rate. An utterance without a word counts what was inserted."""
    try:
        from whisper_normalizer.english import EnglishTextNormalizer
    except ImportError as error:
        raise UnavailableError(
            "whisper-normalizer is not installed: pip install 'favor-data[score]'"
        ) from error
    return _rate("WER", answers, EnglishTextNormalizer())


def word_error_rate_as_written(answers: Sequence[Answer]) -> Measure:
    """The same of the texts as they are: capitals and punctuation count."""
    return _rate("WER as written", answers, str.strip)


def _rate(name: str, answers: Sequence[Answer], normalise: Callable[[str], str]) -> Measure:
    try:
        import jiwer
    except ImportError as error:
        raise UnavailableError("jiwer is not installed: pip install 'favor-data[score]'") from error
    errors, words = np.zeros(len(answers)), np.zeros(len(answers))
    kinds = {"substitutions": 0.0, "deletions": 0.0, "insertions": 0.0}
    for number, answer in enumerate(answers):
        said = normalise(answer.text)
        counted = []
        for text in answer.references:
            reference = normalise(text)
            if reference:
                found = jiwer.process_words(reference, said)
                length = found.hits + found.substitutions + found.deletions
                counted.append((length, found.substitutions, found.deletions, found.insertions))
            else:
                counted.append((0, 0, 0, len(said.split())))
        best = min(counted, key=lambda count: sum(count[1:]) / max(count[0], 1))
        words[number], errors[number] = best[0], sum(best[1:])
        for kind, count in zip(kinds, best[1:], strict=True):
            kinds[kind] += count
    return Measure(name, errors, words, more={**kinds, "words": float(words.sum())})
