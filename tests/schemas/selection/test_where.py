"""A condition keeps what it is true of, and looks at nothing but its row."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from schemas.selection.where import Where, WhereError

TABLE = pa.table(
    {
        "key": ["a", "b", "c", "d"],
        "speech_share": [0.9, 0.2, None, 0.7],
        "split": ["train", "train", "train", "test"],
        "cuts": [[1.0, 2.5], [], None, [0.5]],
        "uris": [{"video": "x/a.mp4"}, {"video": "y/b.mp4"}, {"video": None}, {"video": "x/d.mp4"}],
        "metadata": ['{"n": 3}', "{}", "{}", '{"n": 4}'],
    }
)


@pytest.mark.parametrize(
    ("text", "kept", "unknown"),
    [
        ("speech_share > 0.5 and split = 'train'", "a", 1),
        ("speech_share > 0.5", "ad", 1),
        ("speech_share IS NULL", "c", 0),
        ("not speech_share > 0.5", "b", 1),
        ("len(cuts) > 0 -- a remark", "ad", 1),
        ("uris.video LIKE 'x/%'", "ad", 1),
        ("(metadata->>'n')::int = 4", "d", 2),
        ("corpus.key IN ('a', 'c')", "ac", 0),
        ("list_contains(list_transform(cuts, lambda one: one * 2), 5)", "a", 1),
        ("regexp_matches(key, '[ab]') OR false", "ab", 0),
    ],
)
def test_what_is_true_passes_and_null_is_counted(text: str, kept: str, unknown: int) -> None:
    passed = Where(text).passed(TABLE)
    assert "".join(np.array(TABLE["key"])[passed.mask]) == kept
    assert passed.unknown == unknown


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("speech_share >", "syntax error"),
        ("true; DROP TABLE corpus", "syntax error"),
        ("true) FROM corpus UNION SELECT (true", "one condition"),
        ("true), (true", "one condition"),
        ("true) FROM corpus WHERE (false", "one condition"),
        ("key IN (SELECT key FROM corpus)", "about one row"),
        ("EXISTS (FROM read_csv('/etc/passwd'))", "about one row"),
        ("row_number() OVER () < 3", "about one row"),
        ("max(speech_share) > 1", "many rows"),
        ("random() < 0.5", "next time"),
        ("now() > '2026-01-01'", "next time"),
        ("COLUMNS(*) IS NULL", "about one row"),
        ("key = ?", "parameter"),
    ],
)
def test_what_is_no_condition_on_a_row_is_refused(text: str, why: str) -> None:
    with pytest.raises(WhereError, match=why) as caught:
        Where(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("speech > 0.5", "speech_share"),
        ("speech_share", "DOUBLE"),
        ("key::int > 3", "Conversion"),
        ("read_text('/etc/passwd') = ''", "read_text"),
        ("getvariable('x') IS NULL AND current_setting('threads') = 1", "current_setting|getvariable"),
    ],
)
def test_what_cannot_be_told_of_this_table_is_one_line(text: str, why: str) -> None:
    with pytest.raises(WhereError, match=why) as caught:
        Where(text).passed(TABLE)
    assert "\n" not in str(caught.value)


def test_no_file_is_read_through_a_variable_of_ours(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("key\na\n")
    for text in (f"key IN (FROM '{secret}')", "key = (SELECT key FROM secret)"):
        with pytest.raises(WhereError):
            Where(text).passed(TABLE)


def test_only_the_columns_it_names_are_needed() -> None:
    where = Where("Speech_Share > 0.5 AND uris.video IS NOT NULL AND corpus.\"split\" = 'train'")
    assert where.columns(TABLE.column_names) == ["speech_share", "split", "uris"]
    assert where.passed(TABLE.select(where.columns(TABLE.column_names))).mask.tolist() == [True, *[False] * 3]


def test_a_million_rows_keep_their_order_in_seconds() -> None:
    numbers = np.random.default_rng(0).random(1_000_000)
    table = pa.table({"x": numbers, "split": np.where(np.arange(1_000_000) % 3, "train", "test")})
    start = time.perf_counter()
    passed = Where("x > 0.5 AND split = 'train'").passed(table)
    assert time.perf_counter() - start < 5
    assert (passed.mask == ((numbers > 0.5) & (np.arange(1_000_000) % 3 > 0))).all()
