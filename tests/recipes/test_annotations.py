"""Annotation files in every encoding that they come in, and faults that name their place."""

import codecs
import json
from pathlib import Path

import pytest

from recipes.annotations import Annotations, split_of
from recipes.errors import RecipeError
from recipes.recipe import captioned

SAID = "caf\u00e9 \u2018au lait\u2019"


@pytest.mark.parametrize(
    ("encoding", "mark"), [("utf-8", b""), ("utf-8", codecs.BOM_UTF8), ("utf-16", b""), ("cp1252", b"")]
)
def test_texts_come_out_the_same_whatever_the_encoding(tmp_path: Path, encoding: str, mark: bytes) -> None:
    table, told = tmp_path / "t.csv", tmp_path / "t.json"
    table.write_bytes(mark + f'name,said\r\n"a,""b""",{SAID}\r\n'.encode(encoding))
    told.write_bytes(
        mark + json.dumps([{"said": SAID}, {"said": SAID * 2}], ensure_ascii=False).encode(encoding)
    )
    annotations = Annotations([tmp_path])
    assert list(annotations.table(table, "name", "said")) == [{"name": 'a,"b"', "said": SAID}]
    assert [item["said"] for _, item in annotations.items(told)] == [SAID, SAID * 2]
    assert bool(annotations.remarks) == (encoding == "cp1252")


def test_a_character_cut_by_a_block_is_whole(tmp_path: Path) -> None:
    told = tmp_path / "t.json"
    said = ["x" * n + "\u00e9\u20ac\U0001f600" for n in range(4)]
    content = [{"pad": "y" * ((1 << 16) - 40)}, *({"said": text} for text in said)]
    told.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    annotations = Annotations([told])
    assert [item.get("said") for _, item in annotations.items(told)][1:] == said
    assert not annotations.remarks


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("a,b\n1,2\n", "has no column 'c' (it has a, b)"),
        ("a,b,c\n1,2\n", ":2: 2 cells, the header has 3"),
        ('a,b,c\n1,2,"3\n', "unexpected end of data"),
        ("", "is empty"),
    ],
)
def test_a_table_that_is_not_as_published(tmp_path: Path, content: str, fault: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content)
    with pytest.raises(RecipeError) as caught:
        list(Annotations([path]).table(path, "a", "b", "c"))
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('{"data": [{"a": 1}, {"a"', "after record 1: is not JSON"),
        ('{"other": []}', "holds no records in field 'data'"),
        ("not json", "is not JSON"),
        ("", "is not JSON"),
    ],
)
def test_a_list_that_is_not_as_published(tmp_path: Path, content: str, fault: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(content)
    with pytest.raises(RecipeError) as caught:
        list(Annotations([path]).items(path, "data.item"))
    assert fault in str(caught.value)


def test_files_are_found_by_name_in_folders_and_taken_as_given(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    named, mine = tmp_path / "deep" / "test.csv", tmp_path / "mine.csv"
    named.touch()
    mine.touch()
    assert Annotations([tmp_path]).find("test.csv") == [named]
    assert Annotations([mine]).find("test.csv") == [mine]
    with pytest.raises(RecipeError, match=r"holds no val\.csv"):
        Annotations([tmp_path]).find("val.csv")
    with pytest.raises(RecipeError, match="no such file"):
        Annotations([tmp_path / "gone.csv"]).find("test.csv")


@pytest.mark.parametrize(
    ("path", "split"),
    [("TextVQA_0.5.1_train.json", "train"), ("x/val.csv", "val"), ("test-clean/a.txt", "test"),
     ("a/vggss.json", None),
     ("testdev_balanced_questions.json", "testdev"), ("captions_val2014.json", "val")],
)  # fmt: skip
def test_the_split_is_in_the_name(path: str, split: str | None) -> None:
    assert split_of(Path(path)) == split


def test_no_caption_leaves_the_answer_open() -> None:
    assert captioned([" "], "test") == ((((None, None),),), {})
