"""WavCaps' JSON files, AudioSet's ids with and without their suffix and their Y."""


def test_ids_meet_flac_files(folder) -> None:
    data = [
        {"id": "Yb0RFKhbpFJA.wav", "caption": "Wind \u2018blows\u2019.", "duration": 10.0, "audio": "x"},
        {"id": "-abc_1.2", "caption": 'Bells, "far" away.', "duration": 3.5},
        {"id": 180913, "caption": "A door.", "duration": 2, "author": "a", "href": "/people/a"},
        {"id": "gone", "caption": "None.", "duration": 1},
    ]
    folder.json("annotations/AudioSet_SL/as_final.json", {"num_captions_per_audio": 1, "data": data})
    for name in ("Yb0RFKhbpFJA", "-abc_1.2", "180913"):
        folder.medium(f"media/{name}.flac")
    folder.recipe("wavcaps")
    items = folder.build()
    assert items["Yb0RFKhbpFJA.wav"].conversations[0][1] == ("gpt", "Wind \u2018blows\u2019.")
    assert items["Yb0RFKhbpFJA.wav"].media == {"audio": "media/Yb0RFKhbpFJA.flac"}
    assert items["-abc_1.2"].conversations[0][1] == ("gpt", 'Bells, "far" away.')
    assert items["-abc_1.2"].media == {"audio": "media/-abc_1.2.flac"}
    assert items["180913"].metadata["source"] == "as_final"
    assert [row[0] for row in folder.left_out()] == ["gone"]
