"""Clotho's wide CSV, with names and captions as odd as its own."""

TABLE = '''\
file_name,caption_1,caption_2,caption_3,caption_4,caption_5
Car vs. Freight Train.wav,"A train, then ""a car""",Two,Three,Four,Five
 caf\xe9, Paris.x.wav ,One\x92s,Two,Three,Four,Five
missing one.wav,1,2,3,4,5
'''.replace(" caf\xe9, Paris.x.wav ", '" caf\xe9, Paris.x.wav "')


def test_windows_bytes_quotes_and_dots(folder, capsys) -> None:
    folder.text("annotations/clotho_captions_evaluation.csv", TABLE.encode("latin-1"))
    folder.medium("media/evaluation/Car vs. Freight Train.wav")
    folder.medium("media/evaluation/caf\xe9, Paris.x.wav")
    folder.recipe("clotho")
    assert "1 missing" in capsys.readouterr().out
    items = folder.build()
    train = items["Car vs. Freight Train.wav"]
    assert train.metadata["references"] == ['A train, then "a car"', "Two", "Three", "Four", "Five"]
    assert train.metadata["split"] == "test"
    cafe = items[" caf\xe9, Paris.x.wav "]
    assert cafe.media == {"audio": "media/evaluation/caf\xe9, Paris.x.wav"}
    assert cafe.metadata["references"][0] == "One\u2019s"


def test_what_is_not_utf8_is_said(folder, capsys) -> None:
    folder.text("annotations/clotho_captions_development.csv", TABLE.encode("latin-1"))
    folder.medium("media/Car vs. Freight Train.wav")
    [row] = folder.recipe("clotho")
    assert len(row["conversations"]) == 5
    assert "read as Windows-1252" in capsys.readouterr().out
