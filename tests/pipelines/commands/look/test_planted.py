"""The short form of benchmarks/signals/planted.py: planted copies among clips that are different."""

from __future__ import annotations

from pathlib import Path

from benchmarks.signals.planted import lines


def test_planted_copies_are_found_and_few_are_invented(clip: str, tmp_path: Path) -> None:
    found = {method: rest for method, *rest in lines(tmp_path, distinct=12, each=2, clip=clip)}
    assert found["bytes"] == [2, 6, 0]  # the copies, and nothing else
    right, planted, invented = found["phash"]
    assert planted == 6
    assert right >= 4  # copies and what is re-encoded; a crop is another picture to it
    assert invented == 0
