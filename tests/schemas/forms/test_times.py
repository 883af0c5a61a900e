"""Times, exactly."""

from decimal import Decimal

import pytest

from schemas.forms.times import seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12.5", "12.5"),
        ("0", "0"),
        (" 8.59 ", "8.59"),
        (".5", "0.5"),
        ("3.", "3"),
        ("1e2", "100"),
        ("90", "90"),
        ("01:02.5", "62.5"),
        ("00:01:02.5", "62.5"),
        ("1:00:00", "3600"),
        ("100:00:01", "360001"),
        ("00:00:01,250", "1.25"),
        ("00:00:00.001", "0.001"),
    ],
)
def test_both_forms(text: str, seconds: str) -> None:
    assert seconds_of(text) == Decimal(seconds)


@pytest.mark.parametrize(
    "text", ["", "soon", "-1", "1:60", "1:2:3:4", "nan", "inf", "1e999999999", "00:61:00", "1.2.3"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="HH:MM:SS"):
        seconds_of(text)
