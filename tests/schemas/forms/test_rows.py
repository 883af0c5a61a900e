"""Rows of other projects, in the manifest's own form."""

import json
from io import BytesIO
from typing import Any

import pytest

from schemas.manifest import ManifestError, ManifestRow, read_manifest


def row_of(values: dict[str, Any]) -> ManifestRow:
    [(_, row)] = read_manifest("m.json", BytesIO(json.dumps([values]).encode()))
    return row


def talk(row: ManifestRow) -> list[tuple[str, str]]:
    [turns] = row.conversations
    return [(turn.speaker, turn.value) for turn in turns]


ASKED = [("human", "What is it?"), ("gpt", "A dog.")]


@pytest.mark.parametrize(
    "mark", ["<image>\n{}", "{}\n<image>", "<image> {}", "<image><image>\n{}", "{} <video>"]
)
def test_llava_without_its_marks(mark: str) -> None:
    said = [{"from": "human", "value": mark.format("What is it?")}, {"from": "gpt", "value": "A dog."}]
    row = row_of({"id": 7, "image": "a.jpg", "conversations": said, "model": "x"})
    assert (row.id, row.image, talk(row), row.model_extra) == ("7", "a.jpg", ASKED, {"model": "x"})


def test_a_mark_inside_a_question_and_in_an_answer_is_a_word() -> None:
    said = [{"from": "human", "value": "Does <video> need a src?"}, {"from": "gpt", "value": "<image> too."}]
    row = row_of({"video": "a.mp4", "conversations": said})
    assert talk(row) == [("human", "Does <video> need a src?"), ("gpt", "<image> too.")]


def test_sharegpt_with_a_system_turn_and_a_list_of_one_image() -> None:
    said = [
        {"from": "system", "value": "Be kind."},
        {"from": "user", "value": "<image>What is it?"},
        {"from": "chatgpt", "value": "A dog."},
    ]
    row = row_of({"images": ["a.jpg"], "conversations": said})
    assert (row.image, talk(row), row.model_extra) == ("a.jpg", ASKED, {"system": "Be kind."})


def test_openai_messages_in_text_and_in_parts() -> None:
    plain = [{"role": "user", "content": "What is it?"}, {"role": "assistant", "content": "A dog."}]
    assert talk(row_of({"video": "a.mp4", "messages": plain})) == ASKED
    parts = [
        {"type": "image_url", "image_url": {"url": "file:///d/a.jpg"}},
        {"type": "text", "text": "What is it?"},
    ]
    row = row_of(
        {"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": parts}, plain[1]]}
    )
    assert (row.image, talk(row), row.model_extra) == ("/d/a.jpg", ASKED, {"system": "S"})
    spoken = [
        {"type": "audio", "audio": "q.wav"},
        {"type": "video", "video": "a.mp4"},
        {"type": "text", "text": "?"},
    ]
    row = row_of({"messages": [{"role": "user", "content": spoken}]})
    assert (row.audio, row.video, talk(row)) == ("q.wav", "a.mp4", [("human", "?")])


def test_videochat() -> None:
    pairs = [{"i": "", "q": "What is it?", "a": "A dog."}, {"q": "<video>And now?", "a": "It runs."}]
    row = row_of({"video": "a.mp4", "QA": pairs, "start": "00:01:02.5", "end": "1:10"})
    assert talk(row) == [*ASKED, ("human", "And now?"), ("gpt", "It runs.")]
    assert (float(row.start), float(row.end)) == (62.5, 70)


def test_our_own_form_is_untouched() -> None:
    own = [[{"from": "human", "value": "<image>\n?"}], [{"from": "human", "value": "b"}]]
    row = row_of({"image": "a.jpg", "conversations": own, "QA": "yes", "messages": 3})
    assert row.conversations[0][0].value == "<image>\n?"
    assert row.model_extra == {"QA": "yes", "messages": 3}


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"images": ["a.jpg", "b.jpg"], "conversations": []}, "field 'images': 2 of them"),
        (
            {"image": "a", "conversations": [{"from": "robot", "value": ""}]},
            "speaker 'robot' is none of human",
        ),
        (
            {"image": "a", "messages": [{"role": "tool", "content": "x"}]},
            "field 'messages.0': speaker 'tool'",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]}
                ]
            },
            "named",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "file"}]}]}, "a part of type 'file'"),
        ({"messages": [{"role": "user", "content": 3}]}, "neither a text nor a list"),
        ({"video": "a", "QA": [{"q": 1, "a": "x"}]}, "field 'QA.0'"),
        ({"video": "a", "start": "1:60"}, "field 'start'"),
    ],
)
def test_what_a_form_cannot_hold_is_named(values: dict[str, Any], fault: str) -> None:
    with pytest.raises(ManifestError) as caught:
        row_of(values)
    assert str(caught.value).startswith("m.json:1: ")
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"[]", "m.json: holds no rows"),
        (b" \n", "m.json: holds no rows"),
        (b"{}", "m.json:1: not a JSON list of rows: it does not begin with ["),
        (b'[{"media": "x"}', "m.json:1: not a JSON list of rows: it ends too early"),
        (b'[{"media": "x"},]', "m.json:2: not a JSON list of rows: a comma without a row"),
        (b'[{"media": "x"}] x', "m.json:2: not a JSON list of rows: something follows the list"),
        (b'[{"media": x}]', "m.json:1: not a JSON object: wrong from character 11 on"),
        (b'[{"media": "x"}, {"media": 1}]', "m.json:2: field 'media'"),
        (b'{"a": 1}\n{"b": 2}', "not a JSON list"),
        (b"\xff[", "not a JSON list"),
    ],
)
def test_a_list_that_is_none(content: bytes, fault: str) -> None:
    with pytest.raises(ManifestError) as caught:
        list(read_manifest("m.json", BytesIO(content)))
    assert fault in str(caught.value)
