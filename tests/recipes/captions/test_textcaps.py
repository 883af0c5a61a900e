"""TextCaps: an entry a caption; the test part has none."""

from recipes.prompts import PICTURE


def test_captions_are_gathered_by_image(folder) -> None:
    def entry(image: str, number: int, caption: str, references: list[str]) -> dict:
        return {
            "image_id": image,
            "caption_id": number,
            "caption_str": caption,
            "reference_strs": references,
            "image_path": f"train/{image}.jpg",
            "set_name": "val",
        }

    both = ["A sign says \u201cSTOP\u201d.", "A red sign."]
    data = [
        entry("-a_.1", 1, both[0], both),
        entry("b", 3, "A book.", ["A book."]),
        entry("-a_.1", 2, both[1], both),
    ]
    folder.json("annotations/TextCaps_0.1_val.json", {"dataset_type": "val", "data": data})
    folder.json("annotations/TextCaps_0.1_test.json", {"data": [{"image_id": "t", "image_path": "t.jpg"}]})
    folder.medium("media/train_images/-a_.1.jpg")
    folder.medium("media/test_images/t.jpg")
    folder.recipe("textcaps")
    items = folder.build()
    assert items["-a_.1"].metadata["references"] == both
    assert items["-a_.1"].media == {"image": "media/train_images/-a_.1.jpg"}
    assert items["t"].conversations == [[("human", PICTURE[0])]]
    assert "references" not in items["t"].metadata
    assert [row[0] for row in folder.left_out()] == ["b"]
