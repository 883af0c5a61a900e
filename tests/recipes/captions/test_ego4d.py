"""Ego4D's narration.json, flat and nested."""

import pytest

FILM = {
    "narration_pass_1": {
        "narrations": [
            {"timestamp_sec": 0.2, "timestamp_frame": 6, "narration_text": "#C C opens a door"},
            {"timestamp_sec": 1.0, "timestamp_frame": 30, "narration_text": '#O A man X says "hi", waves.'},
        ],
        "summaries": [{"start_sec": 0.5, "end_sec": 1.5, "summary_text": "C was in a room, then left."}],
        "status": "complete",
    },
    "status": "complete",
}
UID = "-002ad105-bd9a.4858_b9"


@pytest.mark.parametrize("nested", [False, True])
def test_summaries_and_narrations_are_spans_of_films(folder, nested: bool) -> None:
    films = {
        UID: FILM,
        "gone": {"narration_pass_2": {"narrations": [], "summaries": FILM["narration_pass_1"]["summaries"]}},
    }
    told = {"version": "v2", "videos": films} if nested else films
    folder.json("annotations/narration.json", told)
    folder.medium(f"media/full_scale/{UID}.mp4", seconds=30)
    rows = folder.recipe("ego4d")
    assert [row["type"] for row in rows] == ["summary", "narration"]
    assert [row[:2] for row in folder.left_out()] == [["gone_narration_pass_2_summary_0", "missing"]]
    if nested:
        items = folder.build()
        summary = items[f"{UID}_narration_pass_1_summary_0"]
        assert summary.span == [0.5, 1.5]
        assert summary.conversations[0][1] == ("gpt", "C was in a room, then left.")
        narration = items[f"{UID}_narration_pass_1_0"]
        assert narration.conversations[0][1] == ("gpt", 'C opens a door. A man X says "hi", waves.')
        assert narration.span == [0, 30]
