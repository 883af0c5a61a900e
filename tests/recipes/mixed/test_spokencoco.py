"""SpokenCOCO: about half of the pairs match, and each says so."""

from recipes.prompts import PICTURE_MATCHES


def test_pairs_that_match_and_pairs_that_do_not(folder) -> None:
    def item(number: int) -> dict:
        wav = f"wavs/val/0/m{number}-3_{number}.x.wav"
        caption = {
            "text": f'caption, "{number}"',
            "speaker": "m1",
            "uttid": f"m{number}-3_{number}.x",
            "wav": wav,
        }
        return {"image": f"val2014/COCO_val2014_{number:012d}.jpg", "captions": [caption]}

    data = [item(number) for number in range(12)]
    folder.json("annotations/SpokenCOCO_val.json", {"data": data})
    for each in data[:-1]:
        folder.medium(f"media/coco/{each['image']}")
        folder.medium(f"media/SpokenCOCO/{each['captions'][0]['wav']}", seconds=0.5)
    folder.recipe("spokencoco")
    assert [row[0] for row in folder.left_out()] == ["m11-3_11.x"]
    items = folder.build()
    answers = [item.conversations[0][1][1] for item in items.values()]
    assert len(items) == 11
    assert 3 <= answers.count("Yes") <= 8
    for name, found in items.items():
        number = name.partition("-")[0][1:]
        heard = found.metadata["sound_of"]
        assert found.media["image"].endswith(f"{int(number):012d}.jpg")
        assert found.media["audio"].endswith(f"/{heard}.wav")
        assert found.metadata["match"] == (heard == name) == (found.conversations[0][1][1] == "Yes")
        assert found.conversations[0][0][1] == PICTURE_MATCHES[0]
