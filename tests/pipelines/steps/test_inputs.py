from pathlib import Path

import pytest
from apache_beam.testing.util import assert_that, equal_to

from pipelines.steps import inputs
from pipelines.steps.inputs import ReadInputs, staged
from schemas.manifest import InputRow
from schemas.media import Modality

from .conftest import in_process

ROWS = [
    InputRow(input="/a.mp4", id="a", media="/a.mp4", metadata={"words": ["grüß", None, 0.1]}),
    InputRow(
        input="m.jsonl:2",
        id="b",
        named={Modality.IMAGE: "/b.png"},
        start_ns=1,
        end_ns=2**62,
        conversations=(({"from": "human", "value": "one line\nand another"},),),
        signature="s",
    ),
]


def test_rows_come_out_of_the_staged_file_as_they_went_in(tmp_path: Path) -> None:
    path = tmp_path / "out" / ".tmp" / "rows"
    with staged(ROWS, str(path)), in_process() as pipeline:
        assert_that(pipeline | ReadInputs(str(path)), equal_to(ROWS))
    assert not path.exists()


@pytest.mark.parametrize("size", [1, 2, 7, 60, 1000])
def test_a_row_is_read_once_wherever_the_pieces_are_cut(tmp_path: Path, monkeypatch, size: int) -> None:
    monkeypatch.setattr(inputs, "PIECE_BYTES", size)
    path = tmp_path / "rows"
    for lines in (
        [b"a", b"bc" * 30, b"", b"d" * 6, b"e"],
        [b"x" * size],
        [b"x" * (size - 1), b"y" * size, b""],
    ):
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        assert [line for piece in inputs._pieces(str(path)) for line in inputs._lines(piece)] == lines
