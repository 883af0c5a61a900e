"""LibriSpeech as openslr.org/12 unpacks."""

from recipes.prompts import SPEECH


def test_utterances_meet_their_words(folder) -> None:
    part = "media/LibriSpeech/test-clean/1089/134686"
    lines = "1089-134686-0000 HE HOPED THERE WOULD BE STEW\n1089-134686-0001 STUFF IT INTO YOU\n"
    folder.text(f"{part}/1089-134686.trans.txt", lines + "1089-134686-0002 HIS BELLY COUNSELLED HIM\n")
    folder.text("media/LibriSpeech/train-clean-100/19/198/19-198.trans.txt", "19-198-0000 NORTHANGER ABBEY\n")
    for name in ("1089-134686-0000", "1089-134686-0001"):
        folder.medium(f"{part}/{name}.flac")
    folder.medium("media/LibriSpeech/train-clean-100/19/198/19-198-0000.flac")
    folder.recipe("librispeech", annotations="media")
    assert [row[:2] for row in folder.left_out()] == [["1089-134686-0002", "missing"]]
    items = folder.build()
    assert set(items) == {"1089-134686-0000", "1089-134686-0001", "19-198-0000"}
    item = items["1089-134686-0000"]
    assert item.conversations == [[("human", SPEECH[0]), ("gpt", "HE HOPED THERE WOULD BE STEW")]]
    assert item.media == {"audio": f"{part}/1089-134686-0000.flac"}
    assert item.metadata["split"] == "test-clean"
    assert item.metadata["task"] == "ASR"
    assert item.metadata["license"] == "CC BY 4.0"
    assert items["19-198-0000"].metadata["split"] == "train-clean-100"
    assert items["19-198-0000"].conversations[0][0][1] in SPEECH


def test_ones_own_prompts_take_the_place_of_the_published(folder) -> None:
    folder.text("media/test-clean/1/2/1-2.trans.txt", "1-2-0000 A\n1-2-0001 B\n1-2-0002 C\n1-2-0003 D\n")
    for number in range(4):
        folder.medium(f"media/test-clean/1/2/1-2-000{number}.flac")
    rows = folder.recipe("librispeech", "--prompt", "What?", "--prompt", "Say again.", annotations="media")
    assert {row["conversations"][0][0]["value"] for row in rows} == {"What?", "Say again."}
