"""GQA's questions by id."""


def test_questions_meet_images(folder) -> None:
    questions = {
        "201307251": {
            "imageId": "n1.61-_313",
            "question": "Is it overcast?",
            "answer": "no",
            "fullAnswer": "No, it is clear.",
            "types": {"structural": "verify", "semantic": "global"},
        },
        "201307252": {"imageId": "n1.61-_313", "question": 'Who, "there"?', "answer": "women"},
        "x": {"imageId": "gone", "question": "?", "answer": "y"},
    }
    folder.json("annotations/testdev_balanced_questions.json", questions)
    folder.json(
        "annotations/submission_all_questions.json", {"s": {"imageId": "n1.61-_313", "question": "Open?"}}
    )
    folder.medium("media/images/n1.61-_313.jpg")
    folder.recipe("gqa")
    items = folder.build()
    assert items["201307251"].metadata["type"] == "verify"
    assert items["201307251"].metadata["references"] == ["no"]
    assert items["201307251"].metadata["split"] == "testdev"
    assert [("human", 'Who, "there"?'), ("gpt", "women")] in items["201307252"].conversations
    assert [("human", "Open?")] in items["s"].conversations
    assert [row[0] for row in folder.left_out()] == ["x"]
