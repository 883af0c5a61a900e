"""Word error rate beside openai-whisper's normaliser and torchaudio's edit distance."""

import pytest
from torchaudio.functional import edit_distance
from whisper.normalizers import EnglishTextNormalizer

from scores.words import word_error_rate, word_error_rate_as_written

from .conftest import answered

PAIRS = [
    ("he hoped there would be stew for dinner", "HE HOPED THERE WOULD BE STEW FOR DINNER"),
    ("He hoped, there'd be stew!", "HE HOPED THERE WOULD BE STEW FOR DINNER"),
    ("stuff it into you his belly", "STUFF IT INTO YOU HIS BELLY COUNSELLED HIM"),
    ("", "AFTER EARLY NIGHTFALL"),
    ("the the the", "THE"),
    ("I've got twenty-one dollars", "i have got $21"),
    ("twenty twenty five", "2025"),
    ("Mr. Jones isn't here", "mister jones is not here"),
    ("the colour of favour", "THE COLOR OF FAVOR"),
    ("uh, well, hmm, yes", "well yes"),
    ("[laughter] so (aside) what", "so what"),
    ("it is gonna rain", "it's going to rain"),
    ("caf\u00e9 na\u00efve", "cafe naive"),
    ("one hundred and five percent", "105%"),
    ("completely other words here", "nothing is the same at all"),
    ("a b c d e f", "a b x d e"),
    ("you can't", "you cannot"),
    ("the 3rd of May", "the third of may"),
    ("she said \u201cstop\u201d", "she said stop"),
    ("10 o'clock", "ten o'clock"),
    ("number\n nine", "number nine"),
    ("zero point five", "0.5"),
]


def errors(said: list[str], reference: list[str]) -> int:
    return int(edit_distance(said, reference))


def test_it_agrees_with_another_normaliser_and_another_edit_distance() -> None:
    normalise = EnglishTextNormalizer()
    counted = [errors(normalise(said).split(), normalise(right).split()) for said, right in PAIRS]
    words = [len(normalise(right).split()) for _, right in PAIRS]
    found = word_error_rate(answered([(said, [right]) for said, right in PAIRS]))
    assert found.parts.tolist() == counted
    assert found.weights.tolist() == words
    assert found.value == pytest.approx(sum(counted) / sum(words))
    assert sum(found.more[kind] for kind in ("substitutions", "deletions", "insertions")) == sum(counted)


def test_as_written_capitals_count() -> None:
    found = word_error_rate_as_written(answered([(said, [right]) for said, right in PAIRS if said]))
    counted = [errors(said.split(), right.split()) for said, right in PAIRS if said]
    assert found.parts.tolist() == counted


def test_of_several_references_the_nearest() -> None:
    found = word_error_rate(answered([("a cat sat", ["the dog ran off", "a cat sat down"])]))
    assert found.value == pytest.approx(1 / 4)


def test_a_silent_reference_counts_what_was_invented() -> None:
    found = word_error_rate(answered([("thank you", [""]), ("yes", ["yes"])]))
    assert found.parts.tolist() == [2, 0]
    assert found.value == 2
