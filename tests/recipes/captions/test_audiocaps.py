"""AudioCaps' CSV files: five captions a clip, in no order, under the names that download tools give."""

from recipes.prompts import SOUND

TEST = '''\
audiocap_id,youtube_id,start_time,caption
103549,7fmOlUlwoNg,20,Constant rattling noise
103542,-VjSEIRnLAh8,30,"Food is frying, and a woman says ""hi"""
103545,DlWd7W_di1E,150,A man speaks
103550,7fmOlUlwoNg,20,Sharp vibrations
1,gone_,0,Silence
103560,by.id,5,A dog
'''


def test_captions_of_a_clip_are_its_references(folder) -> None:
    folder.text("annotations/test.csv", "\ufeff" + TEST)
    folder.medium("media/Y7fmOlUlwoNg.wav")
    folder.medium("media/-VjSEIRnLAh8_000030.mp4")
    folder.medium("media/DlWd7W_di1E_150_160.flac")
    folder.medium("media/103560.wav")
    folder.recipe("audiocaps")
    assert [row[0] for row in folder.left_out()] == ["gone__0"]
    items = folder.build()
    item = items["7fmOlUlwoNg_20"]
    assert item.metadata["references"] == ["Constant rattling noise", "Sharp vibrations"]
    assert item.conversations == [[("human", SOUND[0]), ("gpt", "Constant rattling noise")]]
    assert item.media == {"audio": "media/Y7fmOlUlwoNg.wav"}
    assert items["-VjSEIRnLAh8_30"].metadata["references"] == ['Food is frying, and a woman says "hi"']
    assert items["-VjSEIRnLAh8_30"].media == {"audio": "media/-VjSEIRnLAh8_000030.mp4"}
    assert items["DlWd7W_di1E_150"].media == {"audio": "media/DlWd7W_di1E_150_160.flac"}
    assert items["by.id_5"].media == {"audio": "media/103560.wav"}


def test_in_training_each_caption_is_an_answer(folder) -> None:
    rows = "audiocap_id,youtube_id,start_time,caption\n1,a,0,One\n2,a,0,Two\n3,a,0,One\n"
    folder.text("annotations/train.csv", rows)
    folder.medium("media/a.wav")
    [row] = folder.recipe("audiocaps")
    assert [talk[1]["value"] for talk in row["conversations"]] == ["One", "Two"]
    assert all(talk[0]["value"] in SOUND for talk in row["conversations"])
    assert "references" not in row
