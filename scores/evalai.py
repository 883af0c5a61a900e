"""How the VQA challenges on EvalAI process an answer before comparing (TextVQA's evaluation with it).

The steps and tables are those of VQA's evaluation (visualqa.org/evaluation.html), oddities included.
"""

from __future__ import annotations

import re

_NUMBERS = {
    word: str(number)
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
} | {"none": "0"}
_ARTICLES = {"a", "an", "the"}
_MARKS = ';/[]"{}()=+\\_-><@`,?!'
_PERIOD = re.compile(r"\.(?!\d)")
_CONTRACTED = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't
haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am might've mightn't
mightn't've must've mustn't needn't not've o'clock oughtn't 'ow's'at shan't she'd've should've
shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've someone'll
someone's something'd something'd've something'll that's there'd there'd've there're there's they'd
they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've
when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't
would've wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've
"""
#: Written with one apostrophe too few -> as it should be.
_MENDED = {
    word[:place] + word[place + 1 :]: word
    for word in _CONTRACTED.split()
    for place, letter in enumerate(word)
    if letter == "'"
} | {"somebody'd": "somebodyd"}


def processed(text: str) -> str:
    """An answer as it is compared: small letters, no articles, numbers as digits, punctuation gone."""
    text = text.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    text = text.replace("\n", " ").replace("\t", " ").strip()
    beside = {mark for mark in _MARKS if f"{mark} " in text or f" {mark}" in text}
    for mark in _MARKS:
        text = text.replace(mark, "" if mark in beside else " ")
    words = [_NUMBERS.get(word, word) for word in _PERIOD.sub("", text).split()]
    return " ".join(_MENDED.get(word, word) for word in words if word not in _ARTICLES)
