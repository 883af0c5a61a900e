"""Karpathy's dataset_flickr30k.json."""

from recipes.prompts import PICTURE


def image(name: str, split: str, *raw: str) -> dict:
    sentences = [{"raw": text, "tokens": text.split(), "imgid": 0, "sentid": 0} for text in raw]
    return {"sentids": [0], "imgid": 0, "sentences": sentences, "split": split, "filename": name}


def test_five_references_in_test_five_answers_in_training(folder) -> None:
    told = [
        image("1000.jpg", "train", "A man.", "Two men.", 'A "man", again.'),
        image("-10_0.1.jpg", "test", "B1", "B2", "B3", "B4", "B5"),
        image("gone.jpg", "test", "C"),
    ]
    folder.json("annotations/dataset_flickr30k.json", {"images": told, "dataset": "flickr30k"})
    folder.medium("media/flickr30k-images/1000.jpg")
    folder.medium("media/flickr30k-images/-10_0.1.jpg")
    folder.recipe("flickr30k")
    items = folder.build()
    assert [talk[1][1] for talk in items["1000.jpg"].conversations] == [
        "A man.",
        "Two men.",
        'A "man", again.',
    ]
    test = items["-10_0.1.jpg"]
    assert test.conversations == [[("human", PICTURE[0]), ("gpt", "B1")]]
    assert test.metadata["references"] == ["B1", "B2", "B3", "B4", "B5"]
    assert test.media == {"image": "media/flickr30k-images/-10_0.1.jpg"}
    assert [row[0] for row in folder.left_out()] == ["gone.jpg"]


def test_a_missing_field_is_named(folder, capsys) -> None:
    folder.json("annotations/dataset_flickr30k.json", {"images": [{"filename": "a.jpg", "sentences": []}]})
    folder.medium("media/a.jpg")
    folder.refused("flickr30k")
    assert (
        "dataset_flickr30k.json:1: has no field 'split' (it has filename, sentences)"
        in capsys.readouterr().err
    )
