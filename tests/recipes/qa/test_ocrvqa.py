"""OCR-VQA's dataset.json: books by id, one record a pair."""


def test_a_record_a_pair(folder) -> None:
    books = {
        "0-00_.1": {
            "imageURL": "http://x/y.jpg",
            "questions": ['Who wrote "it"?', "What is the title?"],
            "answers": ["Rick, R.", "\u00c9tudes"],
            "split": 1,
            "genre": "Calendars",
        },
        "761183272": {"imageURL": "", "questions": ["Is it?"], "answers": ["No"], "split": 3},
        "gone": {"imageURL": "", "questions": ["?"], "answers": ["!"], "split": 2},
    }
    folder.json("annotations/dataset.json", books)
    folder.medium("media/images/0-00_.1.jpg")
    folder.medium("media/images/761183272.jpg")
    folder.recipe("ocrvqa")
    items = folder.build()
    assert set(items) == {"0-00_.1_0", "0-00_.1_1", "761183272_0"}
    assert items["0-00_.1_0"].conversations == [
        [("human", 'Who wrote "it"?'), ("gpt", "Rick, R.")],
        [("human", "What is the title?"), ("gpt", "\u00c9tudes")],
    ]
    assert items["761183272_0"].metadata["split"] == "test"
    assert [row[0] for row in folder.left_out()] == ["gone_0"]
