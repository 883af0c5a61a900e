"""The command `recipe`: what it lists, what it refuses, how it ends."""

from pathlib import Path

import pytest

import recipes.manifest
from pipelines.commands.command import main
from recipes.registry import recipes as known


@pytest.fixture
def gqa(tmp_path: Path) -> list[str]:
    """A set of one question and its picture."""
    questions = '{"1": {"imageId": "a", "question": "Red?", "answer": "no"}}'
    (tmp_path / "testdev_balanced_questions.json").write_text(questions)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").touch()
    where = ["--annotations", str(tmp_path), "--media", str(tmp_path / "images")]
    return ["recipe", "gqa", *where, "--output", str(tmp_path / "out" / "m.jsonl")]


def test_every_set_is_listed_with_what_it_needs(capsys) -> None:
    assert main(["recipe", "--list"]) == 0
    said = capsys.readouterr().out
    for recipe in known().values():
        assert f"{recipe.name} ({recipe.task}; {recipe.licence})" in said
        assert recipe.needs in said


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ([], "name a set: one of how2"),
        (["imagenet"], "unknown set 'imagenet': one of how2"),
        (["gqa"], "give --annotations (--annotations: testdev_balanced_questions.json"),
        (["gqa", "--annotations", "/nowhere"], "give --media"),
        (["gqa", "--annotations", "/nowhere", "--media", "/tmp", "--output", "m"], "/nowhere: no such file"),
        (
            ["gqa", "--annotations", "/tmp", "--media", "/nowhere", "--output", "m"],
            "/nowhere: no such folder",
        ),
        (["gqa", "--anotations", "/tmp"], "unrecognized arguments: --anotations"),
        (["aveb", "--root", "/tmp"], "give --root"),
        (["aveb", "--root", "/nowhere", "--output", "o"], "/nowhere: no such folder"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    arguments: list[str], fault: str, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["recipe", *arguments]) == 2
    said = capsys.readouterr().err
    assert fault in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_set_with_questions_of_its_own_takes_no_prompt(gqa, capsys) -> None:
    assert main([*gqa, "--prompt", "What?"]) == 2
    assert "this set has questions of its own" in capsys.readouterr().err


def test_without_a_row_it_ends_with_1_and_shows_what_there_is(gqa, tmp_path, capsys) -> None:
    (tmp_path / "images" / "a.jpg").rename(tmp_path / "images" / "b.jpg")
    assert main(gqa) == 1
    said = capsys.readouterr()
    assert "1 missing; listed in" in said.out
    assert f"there is {tmp_path}/images/b.jpg" in said.err


def test_a_disk_that_is_full_is_not_the_users_fault(gqa, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(recipes.manifest, "_text", lambda path: open("/dev/full", "w"))  # noqa: SIM115, PTH123
    assert main(gqa) == 3
    assert "No space left" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


def test_the_list_of_what_was_left_out_goes_when_nothing_is(gqa, tmp_path) -> None:
    (tmp_path / "images" / "a.jpg").rename(tmp_path / "images" / "b.jpg")
    assert main(gqa) == 1
    (tmp_path / "images" / "b.jpg").rename(tmp_path / "images" / "a.jpg")
    assert main(gqa) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["m.jsonl"]
    assert '"image": ' in (tmp_path / "out" / "m.jsonl").read_text()
