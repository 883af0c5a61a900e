"""More rows take no more of the launcher's memory, and nothing is left of where they lay instead."""

from __future__ import annotations

import json
import resource
import tempfile
import tracemalloc
from pathlib import Path

import pytest

from pipelines.commands.command import main
from pipelines.jobs import launch
from pipelines.jobs.spool import Inputs, LedgerRows
from schemas.manifest import InputRow
from schemas.media import Modality
from schemas.reasons import Reason


def test_of_two_rows_of_one_name_the_later_stands_in_the_earlier_ones_place() -> None:
    rows = Inputs(InputRow(input=name, id=id_) for name, id_ in (("a", "1"), ("b", "2"), ("a", "3")))
    assert [(row.input, row.id) for row in rows] == [("a", "3"), ("b", "2")]
    assert len(rows) == len(rows.names) == 2
    assert list(rows.names) == ["a", "b"]
    assert "b" in rows.names
    assert "c" not in rows.names
    assert [row.input for row in rows.part(1, 5)] == ["b"]
    assert dict(LedgerRows("nowhere", None)) == {}


def test_rows_come_back_as_they_were() -> None:
    odd = {"a": [1, 2.5, None, {"ä": "\x00€"}], "big": "7" * 5000, "": True}
    rows = [
        InputRow(input="plain", id="1", media="/a.mp4", start_ns=1, end_ns=2**62, metadata=odd),
        InputRow(
            input="tar://ö::/x.tar", id="2", named={Modality.VIDEO: "v", Modality.AUDIO: "a"}, silent=True
        ),
        InputRow(input="m.jsonl:3", id="3", refusal=(Reason.BAD_ROW, "why")),
        InputRow(input="m.jsonl:4", id="4", media="x", conversations=(({"from": "human", "value": "?"},),)),
        InputRow(input="m.jsonl:5", id="5", media="x", signature="s", versions=("1 2",)),
    ]
    assert list(Inputs(rows)) == rows


def opened_in(folder: Path) -> int:
    """Files there that this process holds open, with a name or without."""
    links = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return sum(link.is_relative_to(folder) for link in links)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_nothing_is_left_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    rows = Inputs(InputRow(input=str(number), id="x", metadata={"n": "n" * 999}) for number in range(5000))
    part = rows.part(10, 10)
    assert next(part).input == "10"
    assert not list(tmp_path.iterdir())  # so that a kill leaves nothing either
    assert opened_in(tmp_path) == 1
    del rows, part
    assert not opened_in(tmp_path)


def test_a_disk_that_is_full_is_no_mistake_of_the_users(
    clip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "m.jsonl"
    table.write_text(
        "".join(json.dumps({"media": f"{n}.mp4", "note": "n" * 900}) + "\n" for n in range(5000))
    )
    command = ["build", str(table), "--output", str(tmp_path / "out"), "--whisper", "none", "--clip", clip]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))  # of one file; of its 5 MB
    try:
        assert main([*command, "--dry-run"]) == 3
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    [line] = capsys.readouterr().err.splitlines()
    assert "set TMPDIR to a disk with room" in line
    assert main([*command, "--dry-run"]) == 0


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
