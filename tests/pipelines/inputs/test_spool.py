"""More rows take no more of the launcher's memory, whatever the corpus holds already."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from pipelines.commands.command import main
from pipelines.jobs import launch
from pipelines.jobs.spool import Inputs, LedgerRows
from schemas.manifest import InputRow


def test_of_two_rows_of_one_name_the_later_stands_in_the_earlier_ones_place() -> None:
    rows = Inputs(InputRow(input=name, id=id_) for name, id_ in (("a", "1"), ("b", "2"), ("a", "3")))
    assert [(row.input, row.id) for row in rows] == [("a", "3"), ("b", "2")]
    assert len(rows) == len(rows.names) == 2
    assert list(rows.names) == ["a", "b"]
    assert "b" in rows.names
    assert "c" not in rows.names
    assert [row.input for row in rows.part(1, 5)] == ["b"]
    assert dict(LedgerRows("nowhere", None)) == {}


def test_a_launchers_memory_does_not_grow_with_its_rows(
    clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "_SIGNED_AT_ONCE", 100)
    peaks = []
    for count in (300, 300, 2400):  # the first one imports and looks at the weights
        table = tmp_path / f"{count}.jsonl"
        table.write_text(
            "".join(json.dumps({"media": f"{n}.mp4", "note": "n" * 400}) + "\n" for n in range(count))
        )
        models = ["--whisper", "none", "--clip", clip]
        tracemalloc.start()
        assert main(["build", str(table), "--output", str(tmp_path / "out"), *models, "--dry-run"]) == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < peaks[1] + 400_000, peaks
