"""Whatever stands in a cell: a row that every later step can carry, or an error in a user's words."""

from __future__ import annotations

import json
import tracemalloc
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pipelines.storage.sources import input_row
from schemas.digest import canonical_json
from schemas.manifest import InputRow, ManifestError, ManifestRow, RowError, manifest_row, manifest_rows

_ROW = TypeAdapter(InputRow)
KNOWN = (
    "id", "media", "video", "audio", "image", "start", "end", "conversations", "metadata", "messages", "QA",
    "images", "file_name",
)  # fmt: skip
LIBRARIES = (
    "pydantic",
    "pyarrow",
    "arrow",
    "json",
    "str type",
    "nput should",
)  # whose words are not a user's
MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def carried(name: str, content: bytes) -> list[InputRow]:
    """What a build makes of the rows that it takes: staged, read again, digested."""
    rows = []
    for line, row in manifest_rows(name, BytesIO(content)):
        if isinstance(row, RowError):
            message = str(row)
            message.encode()
            assert message.startswith(f"{name}:{line}: ")
            words = message.removeprefix(name).partition(", not ")[0]
            assert not [word for word in LIBRARIES if word in words], message
            continue
        rows.append(carry(f"{name}:{line}", row))
    return rows


def carry(name: str, row: ManifestRow) -> InputRow:
    made = input_row(name, "/folder", row)
    canonical_json([made.metadata, made.conversations, made.id])
    again = _ROW.validate_json(_ROW.dump_json(made))
    assert again == made
    if made.start_ns is not None or made.end_ns is not None:
        start = made.start_ns or 0
        assert 0 <= start < 2**63
        assert made.end_ns is None or start < made.end_ns < 2**63
    return made


letters = st.text(st.characters(codec=None), max_size=8)  # halves of surrogate pairs among them
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    letters,
    st.sampled_from(["0", "1:02.5", "1e99", "x.mp4", "~/x.mp4", "file:///x", 10**4000, 1e-10, 1e300]),
)
values = st.recursive(
    scalars, lambda each: st.lists(each, max_size=3) | st.dictionaries(letters, each, max_size=3)
)
turns = st.fixed_dictionaries({"from": st.sampled_from(["human", "gpt", "x"]), "value": letters | st.none()})
talks = st.lists(turns, max_size=2) | st.lists(st.lists(turns, max_size=2), max_size=2)


@MANY
@given(
    st.dictionaries(st.sampled_from(KNOWN) | letters, values, max_size=4),
    talks,
    st.sampled_from(["jsonl", "json"]),
)
def test_any_json(row: dict[str, Any], talk: Any, form: str) -> None:
    texts = [{"media": "x.mp4", **row}, row, {"media": "x.mp4", "conversations": talk, "other": row}]
    lines = [json.dumps(text) for text in texts]
    content = "\n".join(lines) if form == "jsonl" else f"[{','.join(lines)}]"
    carried(f"m.{form}", content.encode())


@MANY
@given(st.binary(max_size=200), st.sampled_from(["jsonl", "json", "csv", "tsv", "txt", "parquet"]))
def test_any_bytes(content: bytes, form: str) -> None:
    head = {"csv": b"media,start,metadata\n", "tsv": b"media\tend\n"}.get(form, b"")
    try:
        carried(f"m.{form}", head + content)
    except ManifestError as error:
        assert str(error).startswith(f"m.{form}")  # noqa: PT017


FIXED = [
    pa.bool_(), pa.int8(), pa.uint8(), pa.int16(), pa.uint32(), pa.int64(), pa.uint64(), pa.float16(),
    pa.float32(), pa.float64(), pa.date32(), pa.date64(), pa.time32("s"), pa.time32("ms"), pa.time64("us"),
    pa.time64("ns"),
    *(pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")), pa.timestamp("ns", "Europe/Berlin"),
    *(pa.duration(unit) for unit in ("s", "ms", "us", "ns")), pa.decimal128(38, 9), pa.decimal256(76, 4),
    pa.binary(5),
]  # fmt: skip
VARIABLE = [pa.string(), pa.binary(), pa.large_string(), pa.large_binary()]


@st.composite
def columns(draw: st.DrawFn, depth: int = 2) -> pa.Array:
    """Three cells of any type that a Parquet file holds, of any bits: also dates and texts that are none."""
    nested = draw(st.sampled_from(["", "", "null", "list", "struct", "map", "dictionary"])) if depth else ""
    if nested == "null":
        return pa.nulls(3)
    if nested == "list":
        return pa.ListArray.from_arrays([0, 0, 1, 3], draw(columns(depth - 1)))
    if nested == "struct":
        fields = [draw(columns(depth - 1)), draw(columns(depth - 1))]
        names = draw(st.sampled_from([["bytes", "path"], ["from", "value"], ["a", "b"]]))
        return pa.StructArray.from_arrays(fields, names)
    if nested == "map":
        return pa.MapArray.from_arrays([0, 1, 1, 3], pa.array(["a", "b", "a"]), draw(columns(depth - 1)))
    if nested == "dictionary":
        return pa.array(["x", None, "x"]).dictionary_encode()
    mask = pa.array(draw(st.lists(st.booleans(), min_size=3, max_size=3)))
    kind = draw(st.sampled_from(FIXED + VARIABLE))
    if kind in VARIABLE:
        cells = draw(st.lists(st.binary(max_size=6), min_size=3, max_size=3))
        wide = kind in (pa.large_string(), pa.large_binary())
        raw = pa.array(cells, pa.large_binary() if wide else pa.binary())
        return pa.Array.from_buffers(kind, 3, [pa.array(mask).buffers()[1], *raw.buffers()[1:]])
    width = 3 * max(1, kind.bit_width // 8)
    content = draw(st.binary(min_size=width, max_size=width))
    return pa.Array.from_buffers(kind, 3, [mask.buffers()[1], pa.py_buffer(content)])


@MANY
@given(columns(), st.sampled_from([*KNOWN, "other", "when.bytes"]))
def test_any_column_of_parquet(column: pa.Array, name: str) -> None:
    table = pa.table({"media": pa.array(["x.mp4"] * 3), "more": pa.array([1, 2, 3])})
    if name == "media":
        table = table.drop_columns(["media"])
    table = table.append_column(name, column)
    buffer = BytesIO()
    try:
        pq.write_table(table, buffer)
    except (pa.ArrowException, ValueError):
        return  # no Parquet file holds such a thing
    rows = carried("m.parquet", buffer.getvalue())
    if name not in KNOWN:
        assert [row.metadata["more"] for row in rows] == [1, 2, 3]


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ({"when": pa.scalar(1_600_000_000_123_456_789, pa.timestamp("ns"))}, "2020-09-13T12:26:40.123456"),
        ({"day": pa.scalar(18_518, pa.date32())}, "2020-09-13"),
        ({"price": pa.scalar("12.50", pa.string()).cast(pa.decimal128(9, 2))}, 12.5),
        ({"hash": pa.scalar(b"\xff\x00")}, "/wA="),
        ({"score": pa.scalar(float("nan"))}, None),
        ({"length": pa.scalar(1_500_000_000, pa.duration("ns"))}, 1.5),
        ({"tags": pa.scalar([("a", 1)], pa.map_(pa.string(), pa.int64()))}, {"a": 1}),
    ],
)
def test_what_is_plain_is_metadata(values: dict[str, pa.Scalar], kept: Any) -> None:
    [(name, scalar)] = values.items()
    table = pa.table({"media": ["x"], name: pa.array([scalar.as_py()], scalar.type)})
    if pa.types.is_timestamp(scalar.type):
        table = table.set_column(1, name, pa.array([scalar.value]).cast(scalar.type))
    buffer = BytesIO()
    pq.write_table(table, buffer)
    [row] = carried("m.parquet", buffer.getvalue())
    assert row.metadata == ({} if kept is None else {name: kept})


def test_nan_of_pandas_is_a_time_that_is_not_given() -> None:
    buffer = BytesIO()
    pq.write_table(pa.table({"media": ["x", "y"], "start": [float("nan"), 1.5]}), buffer)
    assert [row.start_ns for row in carried("m.parquet", buffer.getvalue())] == [None, 1_500_000_000]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([62_500_000_000], pa.duration("ns")),
        pa.array([62_500_000_000], pa.time64("ns")),
        pa.array([62_500], pa.time32("ms")),
        pa.array(["00:01:02.5"]),
        pa.array([62.5]),
        pa.array(["62.5"]).cast(pa.decimal128(9, 3)),
    ],
)
def test_a_time_in_any_type_that_has_times(column: pa.Array) -> None:
    buffer = BytesIO()
    pq.write_table(pa.table({"media": ["x"], "start": column}), buffer)
    [row] = carried("m.parquet", buffer.getvalue())
    assert row.start_ns == 62_500_000_000


DEEP = "[" * 255 + "]" * 255


@pytest.mark.parametrize(
    ("text", "metadata"),
    [
        ('{"media": "x", "n": 1e999}', {"n": None}),
        ('{"media": "x", "n": NaN}', {"n": None}),
        ('{"media": "x", "n": "\\ud800 half"}', {"n": "\ufffd half"}),
        ('{"media": "x", "n": %s}' % ("7" * 5000), {"n": "7" * 5000}),
        ('{"media": "x", "conversations": null, "metadata": null, "start": null}', {}),
    ],
)
def test_odd_json_is_kept(text: str, metadata: dict[str, Any]) -> None:
    for name, content in (("m.jsonl", text), ("m.json", f"[{text}]")):
        [row] = carried(name, content.encode())
        assert row.metadata == metadata
        assert row.conversations == ()


def test_what_is_nested_deeply_is_kept_as_its_text() -> None:
    [row] = carried("m.jsonl", f'{{"media": "x", "n": {DEEP}}}'.encode())
    value = row.metadata["n"]
    while isinstance(value, list):
        [value] = value
    assert json.loads(value) == json.loads("[" * 191 + "]" * 191)
    assert "nested too deeply" in fault('{"media": "x", "n": %s}' % ("[" * 99_999 + "]" * 99_999))


def test_a_long_cell_of_csv_is_read() -> None:
    talk = json.dumps([{"from": "human", "value": "ä" * 200_000}]).replace('"', '""')
    [row] = carried("m.csv", f'media,conversations\nx.mp4,"{talk}"\n'.encode())
    assert row.conversations[0][0]["value"] == "ä" * 200_000


@pytest.mark.parametrize("form", ["csv", "tsv"])
@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("start", "1e999", "field 'start': must be a number of seconds, 0 or more, not '1e999'"),
        ("end", "1e999999999", "field 'end': must be a number of seconds, above 0, not '1e999999999'"),
        ("end", "1e-10", "does not lie after 'start' 0 by a nanosecond"),
        ("end", "7" * 5000, "field 'end': must be a number of seconds, above 0, not 777"),
        ("end", "nan", "field 'end': must be a number of seconds, above 0, not 'nan'"),
        ("conversations", "[" * 99_999, "field 'conversations': not JSON: nested too deeply"),
        ("metadata", "[" * 255 + "]" * 255, "field 'metadata': must be an object"),
        (
            "metadata",
            '{"n": NaN, "h": "\\ud800", "i": %s}' % ("7" * 5000),
            {"n": None, "h": "\ufffd", "i": "7" * 5000},
        ),
        ("conversations", "null", {}),
        ("other", "1e999", {"other": "1e999"}),
    ],
)
def test_the_same_in_a_cell(form: str, column: str, cell: str, said: Any) -> None:
    quoted = '"' + cell.replace('"', '""') + '"'
    between = {"csv": ",", "tsv": "\t"}[form]
    content = f"media{between}{column}\nx.mp4{between}{quoted}\n"
    if isinstance(said, str):
        [(_, row)] = manifest_rows(f"m.{form}", BytesIO(content.encode()))
        assert isinstance(row, RowError)
        assert str(row).startswith(f"m.{form}:2: ")
        assert said in str(row)
    else:
        [made] = carried(f"m.{form}", content.encode())
        assert made.metadata == said


def fault(line: str, form: str = "jsonl") -> str:
    [(_, row)] = manifest_rows(f"m.{form}", BytesIO(line.encode()))
    assert isinstance(row, RowError)
    return str(row)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ('"start": "soon"', "field 'start': must be a number of seconds, 0 or more, not 'soon'"),
        ('"start": 1e999', "field 'start': must be a number of seconds, 0 or more, not inf"),
        ('"end": 1e999999999', "field 'end': must be a number of seconds, above 0, not inf"),
        ('"end": "1e99"', "field 'end': must be a number of seconds, above 0, not 1E+99"),
        (
            '"start": 1, "end": 1.0000000001',
            "'end' 1.0000000001 does not lie after 'start' 1 by a nanosecond",
        ),
        ('"end": 1e-10', "does not lie after 'start' 0 by a nanosecond"),
        ('"id": 1.5', "field 'id': must be a text of 1 to 4,096 characters, or a whole number, not 1.5"),
        ('"conversations": "hello"', "field 'conversations': must be a list of turns"),
        ('"conversations": [[{"from": "human"}]]', "field 'conversations.0.0.value': is missing"),
        ('"metadata": [1]', "field 'metadata': must be an object: names and values, not a list"),
    ],
)
def test_the_words_are_a_users(fields: str, said: str) -> None:
    message = fault(f'{{"media": "x", {fields}}}')
    assert message.startswith("m.jsonl:1: ")
    assert said in message


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "tsv", "txt", "parquet"])
def test_an_empty_file_is_no_manifest(form: str) -> None:
    with pytest.raises(ManifestError, match=rf"^m\.{form}: "):
        list(manifest_rows(f"m.{form}", BytesIO(b"")))


@pytest.mark.parametrize(
    ("form", "content", "said"),
    [
        ("csv", b"media,media\nx,y\n", "two columns are called 'media'"),
        ("csv", "media\n".encode("utf-16"), "save it as UTF-8"),
        ("jsonl", '{"media": "x"}\n'.encode("utf-16"), "is UTF-16"),
        ("csv", b'media\n"x\n', "m.csv:2: not a table of cells"),
        ("parquet", b"PAR1", "not a Parquet file"),
    ],
)
def test_what_does_not_parse_names_the_file(form: str, content: bytes, said: str) -> None:
    with pytest.raises(ManifestError, match=rf"^m\.{form}:") as caught:
        list(manifest_rows(f"m.{form}", BytesIO(content)))
    assert said in str(caught.value)


def test_a_row_that_is_wrong_lets_the_next_one_be_read() -> None:
    content = b'{"media": "a"}\n{"media": 7}\n{oops\n\xff\n{"media": "b"}\n'
    rows = dict(manifest_rows("m.jsonl", BytesIO(content)))
    assert [line for line, row in rows.items() if isinstance(row, RowError)] == [2, 3, 4]
    rows = dict(
        manifest_rows("m.json", BytesIO(b'[{"media": "a"}, {"media": 7}, {oops}, "\xff", {"media": "b"}]'))
    )
    assert [line for line, row in rows.items() if isinstance(row, RowError)] == [2, 3, 4]
    rows = dict(manifest_rows("m.csv", BytesIO(b"media,start\na,1\nb\nc\xff,1\nd,2\n")))
    assert [line for line, row in rows.items() if isinstance(row, RowError)] == [3, 4]


def test_a_row_of_a_pipeline_may_hold_numpys_numbers() -> None:
    import numpy as np

    row = manifest_row("here", {"media": "x", "start": np.float32(1.5), "n": np.int64(7), "v": np.zeros(2)})
    made = carry("here", row)
    assert (made.start_ns, made.metadata) == (1_500_000_000, {"n": 7, "v": [0.0, 0.0]})


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "tsv", "txt", "parquet"])
def test_more_rows_take_no_more_memory(form: str) -> None:
    peaks = []
    for count in (4_000, 16_000):
        content = BytesIO(many(form, count))
        tracemalloc.start()
        assert sum(1 for _ in manifest_rows(f"m.{form}", content)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] + 100_000, peaks


def many(form: str, count: int) -> bytes:
    rows = [{"media": f"{number}.mp4", "start": number, "note": "n" * 20} for number in range(count)]
    if form == "parquet":
        buffer = BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), buffer, row_group_size=2_000)
        return buffer.getvalue()
    if form in ("jsonl", "json"):
        lines = map(json.dumps, rows)
        return ("\n".join(lines) if form == "jsonl" else f"[{','.join(lines)}]").encode()
    if form == "txt":
        return "\n".join(row["media"] for row in rows).encode()
    between = "," if form == "csv" else "\t"
    return "\n".join(
        [between.join(rows[0]), *(between.join(map(str, row.values())) for row in rows)]
    ).encode()
