"""How2's Kaldi folder: ids that begin with `-` and hold `_`."""

import pytest

from recipes.prompts import SPEECH_IN_VIDEO

SEGMENTS = """\
-fZc293MpJk_2 -fZc293MpJk 0.5 1.50
-f_Z-_a_1 -f_Z-_a 0.25 1.25
-fZc293MpJk_3 -fZc293MpJk 1.50 1.84
gone_1 gone 0 1
"""
TEXT = """\
-fZc293MpJk_2 The aileron, "as we call it", is in the wing.
-f_Z-_a_1 Hi!
-fZc293MpJk_3 It's caf\xe9 time.
gone_1 Nothing.
"""


def test_clips_and_whole_films_are_found_and_cut(folder) -> None:
    folder.text("annotations/dev5/segments", SEGMENTS)
    folder.text("annotations/dev5/text.id.en", TEXT.encode("cp1252"))
    folder.medium("media/clips/-fZc293MpJk_0.5_1.50.mp4")
    folder.medium("media/clips/-fZc293MpJk_0.5_1.50.wav")
    folder.medium("media/films/-f_Z-_a.mp4", seconds=2)
    folder.medium("media/clips/-fZc293MpJk_1.5_1.84.mp4", seconds=0.34)
    rows = folder.recipe("how2")
    assert [row[:2] for row in folder.left_out()] == [["gone_1", "missing"]]
    assert [(row.get("start"), row.get("end")) for row in rows] == [(None, None), (0.25, 1.25), (None, None)]
    items = folder.build()
    assert items["-fZc293MpJk_2"].media == {
        "video": "media/clips/-fZc293MpJk_0.5_1.50.mp4",
        "audio": "media/clips/-fZc293MpJk_0.5_1.50.wav",
    }
    assert items["-f_Z-_a_1"].span == [0.25, 1.25]
    said = 'The aileron, "as we call it", is in the wing.'
    assert items["-fZc293MpJk_2"].conversations == [[("human", SPEECH_IN_VIDEO[0]), ("gpt", said)]]
    assert items["-fZc293MpJk_3"].metadata["references"] == ["It's café time."]
    assert items["-f_Z-_a_1"].metadata["split"] == "dev5"


def test_an_utterance_without_words_is_named(folder, capsys: pytest.CaptureFixture[str]) -> None:
    folder.text("annotations/segments", "a_1 a 0 1\n")
    folder.text("annotations/text", "b_1 no\n")
    folder.medium("media/a.mp4")
    folder.refused("how2")
    assert "segments:1: utterance 'a_1' has no line in the text file" in capsys.readouterr().err
