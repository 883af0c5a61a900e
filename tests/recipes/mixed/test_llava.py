"""LLaVA's lists: <image> goes, text alone is passed over."""


def test_conversations_about_pictures(folder, capsys) -> None:
    def talk(*values: str) -> list[dict]:
        return [{"from": ("human", "gpt")[i % 2], "value": value} for i, value in enumerate(values)]

    listed = [
        {
            "id": "000000033471",
            "image": "000000033471.jpg",
            "conversations": talk(
                "What <b>colour</b>?\n<image>", 'White & "red".', "Why, then?", "\u00c0 cause."
            ),
        },
        {"id": "wgReZ7Y_0", "conversations": talk("Only text", "yes")},
        {
            "id": "-a.b_2",
            "image": "coco/train2017/-a.b.jpg",
            "conversations": talk("<image>\nDescribe.", "A dog."),
        },
        {"id": "gone", "image": "gone.jpg", "conversations": talk("<image>", "x")},
    ]
    folder.json("annotations/llava_instruct_150k.json", listed)
    folder.medium("media/train2017/000000033471.jpg")
    folder.medium("media/other/-a.b.jpg")
    folder.medium("media/coco/train2017/-a.b.jpg")
    folder.recipe("llava")
    assert "conversations without a picture are left out" in capsys.readouterr().out
    items = folder.build()
    assert items["000000033471"].conversations == [
        [
            ("human", "What <b>colour</b>?"),
            ("gpt", 'White & "red".'),
            ("human", "Why, then?"),
            ("gpt", "\u00c0 cause."),
        ]
    ]
    assert items["-a.b_2"].conversations == [[("human", "Describe."), ("gpt", "A dog.")]]
    assert items["-a.b_2"].media == {"image": "media/coco/train2017/-a.b.jpg"}
    assert [row[0] for row in folder.left_out()] == ["gone"]
