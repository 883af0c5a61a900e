"""NExT-QA: five options, the answer an index, films under VidOR's folders."""

import pytest

TEST = '''\
video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4
2574374895,719,320,240,"what did it do, ""after""",2,8,TN,clap,the lady sits,lay on floor,picked it up,crawl
2925959064,300,320,240,where is this place,1,1,DL,mall,river,swimming pool,living room,mountain
404,300,320,240,gone,0,1,DL,a,b,c,d,e
'''


def test_options_are_asked_and_the_right_one_answered(folder) -> None:
    folder.text("annotations/test.csv", TEST)
    folder.json("annotations/map_vid_vidorID.json", {"2574374895": "1101/2574374895", "404": "0000/404"})
    folder.medium("media/NExTVideo/1101/2574374895.mp4")
    folder.medium("media/NExTVideo/2925959064.mp4")
    folder.recipe("nextqa")
    assert [row[0] for row in folder.left_out()] == ["404_1"]
    items = folder.build()
    item = items["2574374895_8"]
    asked = (
        'what did it do, "after"? Choose from: (A) clap (B) the lady sits (C) lay on floor '
        "(D) picked it up (E) crawl"
    )
    assert item.conversations == [[("human", asked), ("gpt", "lay on floor")]]
    assert item.metadata["references"] == ["lay on floor"]
    assert item.metadata["options"][3] == "picked it up"
    assert item.metadata["type"] == "TN"
    assert item.media["video"] == "media/NExTVideo/1101/2574374895.mp4"


def test_a_column_that_is_missing_is_named(folder, capsys: pytest.CaptureFixture[str]) -> None:
    folder.text("annotations/test.csv", "video,question,answer,qid,a0,a1,a2,a3\n")
    folder.medium("media/a.mp4")
    folder.refused("nextqa")
    assert "test.csv: has no column 'a4'" in capsys.readouterr().err
