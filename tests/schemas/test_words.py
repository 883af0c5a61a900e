"""A file's words: every word has one span and one step, whatever the cuts."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.grid import SECOND_NS, STEP_NS, Span, cut
from schemas.tables import INDEX, LEDGER, read_rows
from schemas.words import Transcript, Word, spoken_share, transcript

HUNDREDTH = SECOND_NS // 100
GOLDEN = Path(__file__).parents[1] / "golden" / "1"


@st.composite
def transcripts(draw):
    """Words one after another in a file of 2 minutes, in hundredths of a second."""
    marks = sorted(draw(st.lists(st.integers(0, 12_000), min_size=2, max_size=60)))
    said = [
        Word(f" w{at}", a * HUNDREDTH, b * HUNDREDTH, 0.5)
        for at, (a, b) in enumerate(zip(marks[::2], marks[1::2], strict=False))
        if (a + b) // 2 < 12_000
    ]
    return Transcript("en", tuple(said), 4, 1)


@given(transcripts(), st.integers(1, 80))
def test_every_word_lies_in_one_span_and_in_a_step_of_it(heard, steps) -> None:
    spans = cut(120 * SECOND_NS, steps * STEP_NS)
    shares = [heard.members(span) for span in spans]
    texts = [members["txt"].decode() for members in shares]
    assert " ".join(filter(None, texts)) == "".join(word.text for word in heard.words).strip()
    records = [json.loads(members["words.json"]) for members in shares]
    found = [word for record in records for word in record["words"]]
    assert [f" {word['word']}" for word in found] == [word.text for word in heard.words]
    for span, record in zip(spans, records, strict=True):
        for word in record["words"]:
            middle = round((word["start"] + word["end"]) / 2 * SECOND_NS)
            start = span.start_ns + word["step"] * STEP_NS
            assert start <= middle < start + STEP_NS


@given(transcripts())
def test_the_cache_entry_holds_all(heard) -> None:
    assert transcript(heard.to_bytes()) == heard


def test_words_of_languages_without_spaces_are_joined_without() -> None:
    heard = Transcript("ja", (Word("今日", 0, HUNDREDTH, 1.0), Word("は", HUNDREDTH, 2 * HUNDREDTH, 1.0)))
    assert heard.members(Span(0, SECOND_NS))["txt"].decode() == "今日は"


def test_tables_of_version_0_1_are_read_their_words_null() -> None:
    for corpus in ("modalities", "grown", "encoders"):
        with (GOLDEN / corpus / "index.parquet").open("rb") as file:
            rows = read_rows(file, INDEX)
        assert rows
        assert all(row["words"] is None and row["language"] is None for row in rows)
        with (GOLDEN / corpus / "ledger.parquet").open("rb") as file:
            assert read_rows(file, LEDGER)


def test_the_share_that_is_spoken_counts_no_instant_twice_and_none_outside() -> None:
    said = [(9.5, 10.5), (11.0, 12.0), (11.5, 12.5), (19.8, 20.4)]
    words = [{"word": "a", "start": start, "end": end} for start, end in said]
    assert spoken_share(words, Span(10 * SECOND_NS, 20 * SECOND_NS)) == pytest.approx(0.22)
    assert spoken_share([], Span(0, SECOND_NS)) == 0
