"""Parquet that Arrow dies of ends no build: it is a line, or a row, and the next file is read."""

from __future__ import annotations

import random
from io import BytesIO
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.commands.command import main
from pipelines.storage.parquet_check import check_parquet
from pipelines.storage.sources import read_sources
from schemas.manifest import ManifestError
from schemas.reasons import Reason

_END = 8  # of a file: the footer's length and a mark


def with_footer(content: bytes, footer: bytes) -> bytes:
    """The file with another footer."""
    return content[: begin_of_footer(content)] + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def begin_of_footer(content: bytes) -> int:
    return len(content) - _END - int.from_bytes(content[-_END:-4], "little")


@pytest.fixture(scope="module")
def whole() -> bytes:
    """Media inside: whether all are there is asked of the statistics."""
    buffer = BytesIO()
    rows = [{"image": {"bytes": b"x", "path": "p"}, "id": f"{number}"} for number in range(2)]
    pq.write_table(pa.Table.from_pylist(rows), buffer, store_schema=False)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def deadly(whole: bytes) -> bytes:
    """A histogram of one level more than the column has (Arrow 25.0: SIGABRT)."""
    footer = whole[begin_of_footer(whole) : -_END]
    at = next(
        place for place in range(len(footer)) if footer[place : place + 2] in (b"\x19\x36", b"\x19\x46")
    )
    levels = footer[at + 1] + 0x10
    return with_footer(whole, footer[: at + 1] + bytes([levels, 0]) + footer[at + 2 :])


def test_a_file_that_its_reader_dies_of_is_a_line_or_a_row(
    whole: bytes,
    deadly: bytes,
    media: Path,
    features: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.parquet").write_bytes(deadly)
    (tmp_path / "in" / "still.png").write_bytes((media / "still.png").read_bytes())
    output = tmp_path / "out"
    assert main(["build", str(tmp_path / "in" / "a.parquet"), "--output", str(output), *features]) == 2
    assert "a.parquet: not a Parquet file that can be read" in capsys.readouterr().err
    assert not output.exists()
    assert main(["build", str(tmp_path / "in"), "--output", str(output), *features]) == 0
    ledger = pd.read_parquet(output / "ledger.parquet").set_index("id")
    assert ledger["status"].to_dict() == {"a.parquet": "rejected", "still.png": "done"}
    assert ledger.loc["a.parquet", "reason"] == Reason.NOT_MEDIA


def test_whatever_its_footer_says_this_process_lives(whole: bytes, tmp_path: Path) -> None:
    chance, begin = random.Random(0), begin_of_footer(whole)
    path = tmp_path / "m.parquet"
    outcomes = set()
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(chance.choice((1, 2, 4))):
            content[chance.randrange(begin, len(content) - _END)] = chance.choice(
                (0, 0x7F, 0xFF, chance.randrange(256))
            )
        path.write_bytes(content)
        try:
            outcomes.add(len(list(read_sources([str(path)], str(tmp_path / "out"), skip_bad_rows=True))))
        except ManifestError:
            outcomes.add(-1)
    assert {-1, 2} <= outcomes
    path.write_bytes(whole)
    check_parquet(str(path))
