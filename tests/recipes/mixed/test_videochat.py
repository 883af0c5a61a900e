"""VideoChat's lists of films with questions and answers."""


def test_questions_become_turns_and_times_spans(folder) -> None:
    listed = [
        {
            "video": "webvid/00-01_.x.mp4",
            "QA": [{"q": "What happens?", "a": 'A dog, "Rex".'}, {"q": "Then?", "a": "It eats."}],
        },
        {
            "video": "webvid/00-01_.x.mp4",
            "start": "00:00:00.5",
            "end": 2,
            "QA": [{"i": "Be brief.", "q": "When?", "a": "Now."}],
        },
        {"video": "gone.mp4", "QA": [{"q": "?", "a": "!"}]},
    ]
    folder.json("annotations/videochat_instruct_11k.json", listed)
    folder.medium("media/webvid/00-01_.x.mp4", seconds=3)
    folder.recipe("videochat")
    items = folder.build()
    assert items["videochat_instruct_11k_0"].conversations == [
        [("human", "What happens?"), ("gpt", 'A dog, "Rex".'), ("human", "Then?"), ("gpt", "It eats.")]
    ]
    cut = items["videochat_instruct_11k_1"]
    assert cut.span == [0.5, 2]
    assert cut.conversations == [[("human", "Be brief. When?"), ("gpt", "Now.")]]
    assert [row[0] for row in folder.left_out()] == ["videochat_instruct_11k_2"]
