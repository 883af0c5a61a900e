"""A JSON list item by item, whatever it holds and wherever the reading pauses."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.forms import lists
from schemas.forms.lists import items

LONGEST = 1 << 20
texts = st.text(st.sampled_from('a"\\[]{},: \nä€😀'), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(texts, each, max_size=3),
)


@settings(deadline=None)
@given(
    st.lists(values, max_size=5),
    st.sampled_from([None, 1]),
    st.booleans(),
    st.sampled_from([1, 2, 7, 1 << 20]),
)
def test_the_items_are_those_of_the_list(
    rows: list[Any], indent: int | None, plain: bool, piece: int
) -> None:
    text = json.dumps(rows, indent=indent, ensure_ascii=plain).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists, "_AT_ONCE", piece)
        found = [json.loads(item) for item in items(BytesIO(text), LONGEST)]
        assert json.dumps(found) == json.dumps(rows)
        for cut in (1, len(text) // 2, len(text) - 1):
            with pytest.raises(ValueError, match="too early"):
                list(items(BytesIO(text[:cut]), LONGEST))


def test_a_mark_and_blanks_before_it() -> None:
    assert list(items(BytesIO(b"\xef\xbb\xbf \n [ 1 ,\t[2, 3] ] \n"), LONGEST)) == [b"1", b"[2, 3]"]


@pytest.mark.parametrize("item", ['"' + 'a\\"' * (1 << 20) + '"', "[" * (3 << 20)])
def test_one_item_is_no_longer_than_it_may_be(item: str) -> None:
    with pytest.raises(ValueError, match="longer than 1 MiB"):
        list(items(BytesIO(f"[{item}]".encode() * 2), LONGEST))
