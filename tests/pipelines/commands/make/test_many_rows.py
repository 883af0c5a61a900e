"""The short form of benchmarks/signals/selection.py: a view of a long index."""

from __future__ import annotations

from pathlib import Path

from benchmarks.signals.selection import lines


def test_a_view_of_a_long_index_verifies_loads_and_copies_nothing(
    media: Path, clip: str, tmp_path: Path
) -> None:
    found = dict(lines(tmp_path, media, 5000, clip))
    assert 0 < found["samples that the view holds"] < 1000
    assert found["verify of their view: exit status"] == 0
    assert found["samples of it read and checked"] == 6
    assert found["bytes of the view, of the corpus's"] < 0.1
