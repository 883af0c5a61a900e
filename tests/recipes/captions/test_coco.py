"""COCO's captions: images and captions apart, in any order; 2014's and 2017's names."""


def test_captions_meet_their_images(folder) -> None:
    images = [
        {"id": 9, "file_name": "000000000009.jpg", "height": 1, "width": 1},
        {"id": 25, "file_name": "COCO_val2014_000000000025.jpg"},
        {"id": 77, "file_name": "000000000077.jpg"},
    ]
    captions = [
        {"id": 1, "image_id": 25, "caption": "A giraffe."},
        {"id": 2, "image_id": 9, "caption": 'Food, "in boxes"\n'},
        {"id": 3, "image_id": 25, "caption": "Two giraffes."},
        {"id": 4, "image_id": 77, "caption": "Gone."},
    ]
    # Captions first: the format does not say which list comes first.
    folder.json("annotations/captions_val2017.json", {"info": {}, "annotations": captions, "images": images})
    folder.medium("media/val2017/000000000009.jpg")
    folder.medium("media/val2014/COCO_val2014_000000000025.jpg")
    folder.recipe("coco")
    items = folder.build()
    assert items["25"].metadata["references"] == ["A giraffe.", "Two giraffes."]
    assert items["25"].media == {"image": "media/val2014/COCO_val2014_000000000025.jpg"}
    assert items["9"].conversations[0][1] == ("gpt", 'Food, "in boxes"')
    assert [row[0] for row in folder.left_out()] == ["77"]


def test_2017s_captions_find_2014s_images(folder) -> None:
    told = {
        "images": [{"id": 9, "file_name": "000000000009.jpg"}],
        "annotations": [{"id": 1, "image_id": 9, "caption": "A."}],
    }
    folder.json("annotations/captions_train2017.json", told)
    folder.medium("media/COCO_train2014_000000000009.jpg")
    [row] = folder.recipe("coco")
    assert row["image"] == "media/COCO_train2014_000000000009.jpg"
