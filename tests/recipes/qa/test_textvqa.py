"""TextVQA: ten answers; undisclosed in test."""


def test_the_answer_given_most_often_and_all_ten_as_references(folder) -> None:
    ten = [
        "nous les gosses",
        "dakota",
        "clos culombu",
        "dakota digital",
        "dakota",
        "dakota",
        "dakota digital",
        "dakota digital",
        "dakota",
        "dakota",
    ]
    data = [
        {
            "question_id": 34602,
            "image_id": "-03a8_.ae2",
            "question": 'what is "the brand", please?',
            "answers": ten,
            "image_classes": ["Camera"],
            "set_name": "val",
        },
        {"question_id": 34603, "image_id": "gone", "question": "?", "answers": ten},
    ]
    folder.json("annotations/TextVQA_0.5.1_val.json", {"dataset_type": "val", "data": data})
    test = [{"question_id": 40000, "image_id": "-03a8_.ae2", "question": "what is hidden?"}]
    folder.json("annotations/TextVQA_0.5.1_test.json", {"data": test})
    folder.json(
        "annotations/TextVQA_Rosetta_OCR_v0.2_val.json", {"data": [{"image_id": "x", "ocr_tokens": []}]}
    )
    folder.medium("media/train_images/-03a8_.ae2.jpg")
    folder.recipe("textvqa")
    assert [row[0] for row in folder.left_out()] == ["34603"]
    items = folder.build()
    assert items["34602"].metadata["references"] == ten
    assert items["34602"].metadata["split"] == "val"
    assert "references" not in items["40000"].metadata
    talks = items["34602"].conversations  # one sample: both rows ask about one picture
    assert [("human", 'what is "the brand", please?'), ("gpt", "dakota")] in talks
    assert [("human", "what is hidden?")] in talks
