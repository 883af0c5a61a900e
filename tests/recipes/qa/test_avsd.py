"""AVSD's dialogues; in the challenge's test file the answer is not disclosed."""


def dialog(image: str, *turns: tuple[str, str]) -> dict:
    said = [{"question": question, "answer": answer} for question, answer in turns]
    return {"image_id": image, "caption": 'a person, "at home"', "summary": "He cooks.", "dialog": said}


def test_dialogues_in_training_and_test(folder) -> None:
    train = [
        dialog("-Y4_U6.T", ("Is it a man?", "Yes, he is."), ("Where?", 'In a "kitchen".')),
        dialog("gone", ("?", "!")),
    ]
    test = [
        dialog(
            "T6Y_-",
            ("How many?", "One."),
            ("Does he leave?", "__UNDISCLOSED__"),
            ("And then?", "He returns."),
        )
    ]
    valid = [dialog("V0000", ("Who?", "Caf\u00e9 owner."), ("Why?", "To eat."))]
    for name, dialogs in (("train", train), ("test", test), ("valid", valid)):
        told = {"type": "dialog", "dialogs": dialogs, "version": "0.1"}
        folder.json(f"annotations/{name}_set4DSTC7-AVSD.json", told)
    for name in ("-Y4_U6.T", "T6Y_-", "V0000"):
        folder.medium(f"media/Charades_v1_480/{name}.mp4")
    folder.recipe("avsd")
    items = folder.build()
    assert items["-Y4_U6.T"].conversations == [
        [("human", "Is it a man?"), ("gpt", "Yes, he is."), ("human", "Where?"), ("gpt", 'In a "kitchen".')]
    ]
    assert items["T6Y_-"].conversations == [
        [("human", "How many?"), ("gpt", "One."), ("human", "Does he leave?")]
    ]
    assert "references" not in items["T6Y_-"].metadata
    assert items["V0000"].metadata["references"] == ["To eat."]
    assert items["V0000"].metadata["split"] == "val"
    assert items["T6Y_-"].metadata["summary"] == "He cooks."
    assert [row[0] for row in folder.left_out()] == ["gone"]
