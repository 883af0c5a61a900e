"""Accuracies beside another project's VQA evaluation, and beside answers judged by hand."""

import pytest

from scores import questions
from scores.answers import Answer

from .conftest import answered

# Values of lmms-eval 0.7.3's EvalAIAnswerProcessor with VQA's leave-one-out rule; not run here, it is large.
VQA = [
    ("Dakota", {"nous les gosses": 1, "dakota": 5, "clos culombu": 1, "dakota digital": 3}, 1.0),
    ("dakota digital.", {"nous les gosses": 1, "dakota": 5, "clos culombu": 1, "dakota digital": 3}, 0.9),
    ("the stop", {"stop": 9, "stop sign": 1}, 1.0),
    ("A Stop", {"stop": 3, "go": 7}, 0.9),
    ("stop", {"stop": 2, "go": 8}, 0.6),
    ("stop", {"stop": 1, "go": 9}, 0.3),
    ("two", {"2": 5, "two": 3, "three": 2}, 1.0),
    ("none", {"0": 10}, 1.0),
    ("12:30", {"12:30": 6, "12 30": 4}, 1.0),
    ("12-30", {"12 30": 4, "12-30": 6}, 1.0),
    ("$1,000", {"1000": 5, "$1000": 5}, 1.0),
    ("3.50", {"3.50": 4, "3.5": 6}, 1.0),
    ("U.S.A.", {"usa": 7, "us": 3}, 1.0),
    ("dont walk", {"don't walk": 4, "walk": 6}, 1.0),
    ("don't walk", {"dont walk": 3, "don't walk": 1, "no": 6}, 1.0),
    ("men's room", {"men's room": 2, "mens room": 8}, 0.6),
    ("mens room", {"men's room": 5, "mens room": 5}, 1.0),
    ("yes", {"no": 10}, 0.0),
    ("", {"unanswerable": 10}, 0.0),
    ("unanswerable", {"unanswerable": 10}, 1.0),
    ("coca-cola", {"coca cola": 5, "coca-cola": 5}, 1.0),
    ("Coca Cola!", {"coca-cola": 6, "coke": 4}, 1.0),
    ("the", {"a": 10}, 1.0),
    ("(left)", {"left": 8, "right": 2}, 1.0),
    ("7-eleven", {"7 eleven": 4, "7-11": 6}, 1.0),
    ("12%", {"12%": 3, "12": 7}, 0.9),
    ("o clock", {"o'clock": 10}, 0.0),
    ("10 oclock", {"10 o'clock": 4, "ten o'clock": 6}, 1.0),
    ("NY/NJ", {"ny nj": 4, "ny/nj": 6}, 1.0),
    ("hello , world", {"hello world": 4, "hello, world": 6}, 1.0),
]


@pytest.mark.parametrize(("said", "votes", "value"), VQA)
def test_vqa_accuracy(said: str, votes: dict[str, int], value: float) -> None:
    references = [text for text, times in votes.items() for _ in range(times)]
    assert questions.vqa(answered([(said, references)])).value == pytest.approx(value)


def test_with_few_references_any_will_do() -> None:
    assert questions.vqa(
        answered([("Two", ["2"]), ("3", ["4", "three"]), ("5", ["4", "3"])])
    ).parts.tolist() == [1, 1, 0]


# Judged by hand.
EXACT = [
    ("no", "no", True),
    ("No.", "no", True),
    ("NO", "no", True),
    (" no ", "no", True),
    ("no, it is clear", "no", False),
    ("women", "women", True),
    ("woman", "women", False),
    ("the women", "women", False),
    ("t-shirt", "t shirt", True),
    ("T-Shirt.", "t-shirt", True),
    ("tshirt", "t-shirt", False),
    ("left", "right", False),
    ("", "no", False),
    ("remote  control", "remote control", True),
    ("remote\ncontrol", "remote control", True),
    ("men's", "mens", True),
    ("yes!", "yes", True),
    ("yes/no", "yes", False),
    ("caf\u00e9", "cafe", False),
    ("12", "12", True),
    ("twelve", "12", False),
]


@pytest.mark.parametrize(("said", "right", "agrees"), EXACT)
def test_equal_but_for_capitals_and_punctuation(said: str, right: str, agrees: bool) -> None:
    assert questions.exact(answered([(said, [right])])).value == agrees


OPTIONS = ("clap proudly", "the lady sitting down", "lay on floor", "lay", "crawl to the lady")
CHOICES = [
    ("lay on floor", 2),
    ("Lay on floor.", 2),
    ("C", 2),
    ("c", 2),
    ("(C)", 2),
    ("C.", 2),
    ("C) lay", 2),
    ("(c) lay on floor", 2),
    ("The answer is C", 2),
    ("Answer: C.", 2),
    ("Option (B)", 1),
    ("The correct answer is (E).", 4),
    ("B: the lady", 1),
    ("He lay on floor", 2),
    ("the baby lay there", 3),
    ("lay", 3),
    ("clap proudly or lay on floor", None),
    ("sit", None),
    ("", None),
    ("A baby crawls", None),
    ("a clap proudly", 0),
    ("F", None),
    ("crawl to the lady!", 4),
    ("I think D", None),
]


@pytest.mark.parametrize(("said", "chosen"), CHOICES)
def test_the_option_that_is_meant(said: str, chosen: int | None) -> None:
    for place, option in enumerate(OPTIONS):
        right = questions.option([Answer("1", said, (option,), options=OPTIONS)]).value
        assert right == (place == chosen), option


def test_a_reference_may_be_a_letter_and_options_may_be_missing() -> None:
    asked = [Answer("1", "lay on floor", ("C",), options=OPTIONS), Answer("2", "Crawl.", ("crawl",))]
    assert questions.option(asked).value == 1


VERDICTS = [
    ("Yes", "Yes", True),
    ("yes.", "Yes", True),
    ("No", "No.", True),
    ("no", "yes", False),
    ("yes", "no", False),
    ("Yes, the audio matches.", "Yes", True),
    ("No, it does not.", "No", True),
    ("Well, no.", "No", True),
    ("The answer is yes", "Yes", True),
    ("", "No", False),
    ("maybe", "No", False),
    ("not at all", "No", False),
    ("nobody", "No", False),
    ("yesterday", "Yes", False),
    ("yes and no", "Yes", True),
    ("no, yes", "Yes", False),
    ("YES!", "yes", True),
    ("It is: no", "No", True),
    ("I know", "No", False),
    ("- Yes", "Yes", True),
    ("Yes.No", "Yes", True),
]


@pytest.mark.parametrize(("said", "right", "agrees"), VERDICTS)
def test_yes_or_no(said: str, right: str, agrees: bool) -> None:
    assert questions.yes_or_no(answered([(said, [right])])).value == agrees


CLASSES = [
    ("The source of this sound is people belly laughing.", "people belly laughing", True),
    ("elk bugling", "elk bugling", True),
    ("An Elk Bugling!", "elk bugling", True),
    ("bugling elk", "elk bugling", False),
    ("dog", "dog barking", False),
    ("it is a bird chirping, tweeting", "bird chirping, tweeting", True),
    ("bird chirping tweeting", "bird chirping, tweeting", True),
    ("police car siren", "police car (siren)", True),
    ("airplane flyby", "airplane", True),
    ("airplanes", "airplane", False),
    ("hair dryer drying", "air dryer", False),
    ("", "airplane", False),
    ("fly, housefly buzzing", "fly, housefly buzzing", True),
    ("horse clip clop", "horse clip-clop", True),
    ("playing violin", "playing violin, fiddle", False),
    ("a cat's purring", "cat purring", False),
    ("CAT PURRING", "cat purring", True),
    ("cat  purring", "cat purring", True),
    ("the cat purring loudly", "cat purring", True),
    ("scat purring", "cat purring", False),
    ("donkey, ass braying", "donkey, ass braying", True),
]


@pytest.mark.parametrize(("said", "right", "agrees"), CLASSES)
def test_the_class_is_named(said: str, right: str, agrees: bool) -> None:
    assert questions.named_class(answered([(said, [right])])).value == agrees


OPEN = [
    ("Yes, he does.", "yes he leaves the room", True),
    ("No.", "yes he leaves the room", False),
    ("yes", "Yes.", True),
    ("No, he stays", "no, not at all", True),
    ("He sits on a chair and reads", "he sits on a chair", True),
    ("He sits", "he sits on a chair", False),
    ("one", "Only one", False),
    ("Only one person", "only one", True),
    ("", "yes", False),
    ("It looks like yes", "yes he does", False),
    ("in the kitchen", "In the kitchen.", True),
    ("kitchen", "In the kitchen.", False),
    ("a man", "a man", True),
    ("A man.", "a man", True),
    ("woman", "a man", False),
    ("yes", "he does", False),
    ("no he does not", "No", True),
    ("I think no", "No", True),
    ("2", "two", False),
    ("Yes it's a dog", "it is a dog", False),
    ("he laughs", "he laughs", True),
]


@pytest.mark.parametrize(("said", "right", "agrees"), OPEN)
def test_an_open_answer(said: str, right: str, agrees: bool) -> None:
    assert questions.dialogue(answered([(said, [right])])).value == agrees


def test_spoken_questions_take_their_sets_rule() -> None:
    found = questions.spoken(
        answered([("Stop.", ["stop"] * 2 + ["go"] * 8), ("No.", ["no"]), ("two", ["2"])])
    )
    assert found.parts.tolist() == pytest.approx([0.6, 1, 0])
