from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.manifest import ManifestError, ManifestRow, read_manifest


def rows(name: str, content: bytes) -> list[tuple[int, ManifestRow]]:
    return list(read_manifest(name, BytesIO(content)))


def test_jsonl_csv_and_parquet_say_the_same() -> None:
    jsonl = b'{"id": "a", "media": "x.mp4", "start": 1.5, "end": 3, "metadata": {"split": "train"}}\n'
    table = b'id,media,start,end,metadata\na,x.mp4,1.5,3,"{""split"": ""train""}"\n'
    buffer = BytesIO()
    values = {"id": "a", "media": "x.mp4", "start": 1.5, "end": 3.0, "metadata": {"split": "train"}}
    pq.write_table(pa.Table.from_pylist([values]), buffer)
    [(_, from_jsonl)] = rows("m.jsonl", jsonl)
    [(_, from_csv)] = rows("m.csv", table)
    [(_, from_parquet)] = rows("m.parquet", buffer.getvalue())
    assert from_jsonl == from_csv == from_parquet


def test_one_conversation_need_not_be_nested_and_other_columns_are_metadata() -> None:
    line = (
        b'{"media": "x", "conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "!"}],'
        b' "split": "test"}'
    )
    [(_, row)] = rows("m.jsonl", line)
    assert [turn.speaker for turn in row.conversations[0]] == ["human", "gpt"]
    assert row.model_extra == {"split": "test"}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b'{"media": 7}', "field 'media'"),
        (b'{"media": "x", "start": "soon"}', "field 'start'"),
        (b'{"media": "x", "start": -1}', "field 'start'"),
        (b'{"media": "x", "start": NaN}', "must be a number of seconds, 0 or more, not nan"),
        (b'{"media": "x", "start": true}', "field 'start'"),
        (b'{"media": "x", "start": 3, "end": 2}', "'end' 2"),
        (b'{"id": "x"}', "names no media"),
        (b'{"media": "x", "audio": "y"}', "either"),
        (b'{"media": "x", "conversations": [[{"from": "robot", "value": ""}]]}', "conversations.0.0.from"),
        (b'{"image": "x.jpg", "start": 1}', "image alone"),
        (b"[1]", "must be an object with named fields"),
        (b"{not json", "not a JSON object"),
        (b"\xff\xfe", "not a JSON object"),
    ],
)
def test_a_fault_names_file_line_and_field(line: bytes, fault: str) -> None:
    with pytest.raises(ManifestError, match=r"^m\.jsonl:3: ") as caught:
        rows("m.jsonl", b'{"media": "good.mp4"}\n\n' + line + b"\n")
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        (
            b"media,start\nx.mp4,soon\n",
            "m.csv:2: field 'start': must be a number of seconds, 0 or more, not 'soon'",
        ),
        (b"media,metadata\nx.mp4,{\n", "m.csv:2: field 'metadata': not JSON"),
        (b"media,start\nx.mp4\n", "another number of cells"),
        (b"media\nx.mp4,1\n", "another number of cells"),
    ],
)
def test_a_csv_fault_names_its_line(table: bytes, fault: str) -> None:
    with pytest.raises(ManifestError) as caught:
        rows("m.csv", table)
    assert fault in str(caught.value)


def test_what_is_not_parquet_is_said_to_be_so() -> None:
    with pytest.raises(ManifestError, match="not a Parquet file"):
        rows("m.parquet", b"PAR1 and no more")
