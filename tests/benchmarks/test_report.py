"""The short form of benchmarks/report: how many bytes a sample costs that is listed and not drawn."""

import json
import re

from benchmarks.films import SHAPES, talking_films
from benchmarks.report.__main__ import SIZE_MB, corpus, made
from benchmarks.signals.selection import multiplied

ROWS = 2_000


def test_a_listed_sample_costs_few_bytes(tmp_path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    talking_films(media, 2, 2, SHAPES)
    output = corpus(media, tmp_path / "corpus", "--keep", "frames,audio")
    made(output, tmp_path / "few.html")
    multiplied(output, ROWS)
    made(output, tmp_path / "many.html")
    few, many = ((tmp_path / name).read_text(encoding="utf-8") for name in ("few.html", "many.html"))
    assert (len(many) - len(few)) / (ROWS - 2) * 100_000 < SIZE_MB * 1e6 / 2  # half is for those drawn
    [listed] = re.findall(r'id="all">(.*?)</script>', many, re.DOTALL)
    ids, keys, shards, places = json.loads(listed)
    assert len(ids) == len(set(keys)) == len(places) == ROWS
    assert {shards[place] for place in places} == set(shards)
    assert many.count('<article class="sheet"') == 2
