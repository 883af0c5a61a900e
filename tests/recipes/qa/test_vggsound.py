"""VGGSound: the list without a header, and the released test list."""


def test_both_lists(folder) -> None:
    lines = '---g-f_I2yQ,1,"people marching, ""left""",test\nab.c_,30,dog barking,train\ngone,5,x,test\n'
    folder.text("annotations/vggsound.csv", lines)
    folder.medium("media/video/---g-f_I2yQ_000001.mp4")
    folder.medium("media/films/ab.c_.mp4", seconds=32)
    folder.recipe("vggsound", annotations="annotations/vggsound.csv")
    assert [row[0] for row in folder.left_out()] == ["gone_000005"]
    rows = [line for line in (folder.path / "manifest.jsonl").read_text().splitlines()]
    assert len(rows) == 2
    folder.text("annotations/test.csv", "---g-f_I2yQ_000001.mp4,people marching\n")
    [row] = folder.recipe("vggsound", annotations="annotations/test.csv")
    assert row["split"] == "test"
    items = folder.build()
    item = items["---g-f_I2yQ_000001"]
    assert item.conversations == [[("human", "What is the source of the sound?"), ("gpt", "people marching")]]
    assert item.media["video"] == "media/video/---g-f_I2yQ_000001.mp4"


def test_of_a_whole_film_the_ten_seconds(folder) -> None:
    folder.text("annotations/vggsound.csv", 'ab.c_,2,"bird chirping, tweeting",train\n')
    folder.medium("media/ab.c_.mp4", seconds=13)
    folder.recipe("vggsound")
    [item] = folder.build().values()
    assert item.span == [2, 12]
    assert item.metadata["references"] == ["bird chirping, tweeting"]
