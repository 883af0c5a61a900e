"""VGG-SS' vggss.json."""


def test_classes_and_clips(folder) -> None:
    marked = [
        {
            "file": "-zpWui_kVor_000032",
            "class": "female speech, woman speaking",
            "bbox": [[0.4, 0.2, 0.6, 0.7]],
        },
        {"file": "JIem.K_0lXc_000364", "class": "elk bugling", "bbox": []},
        {"file": "gone_000001", "class": "x", "bbox": []},
    ]
    folder.json("annotations/vggss.json", marked)
    folder.medium("media/-zpWui_kVor_000032.mp4")
    folder.medium("media/JIem.K_0lXc_000364.mp4")
    folder.recipe("vggss")
    items = folder.build()
    item = items["-zpWui_kVor_000032"]
    assert item.conversations[0][1] == ("gpt", "female speech, woman speaking")
    assert item.metadata["task"] == "AVSSD"
    assert items["JIem.K_0lXc_000364"].media["video"] == "media/JIem.K_0lXc_000364.mp4"
    assert [row[0] for row in folder.left_out()] == ["gone_000001"]
