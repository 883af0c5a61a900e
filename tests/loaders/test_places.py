"""Places out of an index's columns of lists, beside what Arrow makes of them row by row."""

import pyarrow as pa
import pytest

from loaders.places import Layer, Layers, Place, Texts, joined
from schemas.rows import INDEX

EXTENT = {"sha256": "ab", "content": "cd"}
COLUMNS = [
    [],
    [
        {
            "column": "annotations",
            "shard": "columns/annotations/000000.tar",
            "offset": 1024,
            "size": 512,
            **EXTENT,
        }
    ],
    [
        {"column": name, "shard": f"columns/{name}/000001.tar", "offset": at << 33, "size": at, **EXTENT}
        for at, name in enumerate(["beats", "clip", "words"])
    ],
    [],
    [{"column": "clip", "shard": "columns/clip/000002.tar", "offset": 0, "size": 0, **EXTENT}],
]
FEATURES = [
    [
        {
            "column": "whisper",
            "fingerprint": "f",
            "dtype": "float16",
            "shape": [1, 25, 8],
            "offset": at,
            "size": 9,
        }
    ]
    for at in range(len(COLUMNS))
]


def chunked(name, parts):
    kind = INDEX.field(name).type
    return pa.chunked_array([pa.array(part, kind) for part in parts])


@pytest.mark.parametrize(
    "cut",
    [
        lambda column: column,
        lambda column: column.slice(1, 3),
        lambda column: column.filter(pa.array([False, True, True, False, True])),
        lambda column: pa.chunked_array([column.combine_chunks().slice(2)]),
    ],
)
@pytest.mark.parametrize(("name", "rows"), [("columns", COLUMNS), ("features", FEATURES)])
def test_lists_are_arrows_own(name, rows, cut) -> None:
    column = cut(chunked(name, [rows[:2], rows[2:]]))
    layers = Layers(column)
    for row in range(len(column)):
        said = column[row].as_py()
        assert layers.of(row) == [
            Layer(one["column"], Place(one.get("shard", ""), one["offset"], one["size"])) for one in said
        ]
        if name == "columns":
            assert layers.sha256s(row) == [one["sha256"] for one in said if one["size"]]


def test_places_that_touch_are_joined_up_to_32_mib() -> None:
    places = [
        Place("a", 0, 10),
        Place("a", 10, 5),
        Place("a", 16, 4),
        Place("b", 20, 4),
        Place("b", 24, 32 << 20),
    ]
    assert list(joined(places)) == [
        Place("a", 0, 15), Place("a", 16, 4), Place("b", 20, 4), Place("b", 24, 32 << 20),
    ]  # fmt: skip


def test_of_one_column_small_gaps_are_read_too() -> None:
    places = [
        Place("columns/annotations/0.tar", 0, 1024),
        Place("columns/annotations/0.tar", 0, 1024),
        Place("columns/annotations/0.tar", 60 << 10, 1024),
        Place("columns/annotations/0.tar", 130 << 10, 1024),
        Place("shards/0.tar", 0, 1024),
        Place("shards/0.tar", 2048, 1024),
        Place("shards/0.tar", 2048, 1024),
    ]
    assert list(joined(places)) == [
        Place("columns/annotations/0.tar", 0, 61 << 10),
        Place("columns/annotations/0.tar", 130 << 10, 1024),
        Place("shards/0.tar", 0, 1024),
        Place("shards/0.tar", 2048, 1024),
    ]
    assert list(joined(places, whole=True))[2:] == [Place("shards/0.tar", 0, 3072)]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_texts_are_those_of_the_column(kind: pa.DataType) -> None:
    words = ["", "a", "käse", "", "日本語", "z" * 1000]
    column = pa.array(words, kind)
    assert [Texts(column)[row] for row in range(len(words))] == words
    assert [Texts(column.slice(2, 3))[row] for row in range(3)] == words[2:5]
    assert Texts(pa.array([""], kind))[0] == ""
    Texts(pa.array([], kind))
