from pathlib import Path

from apache_beam.testing.util import assert_that, equal_to

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
    with staged(ROWS, str(path), str(tmp_path / "out")), in_process() as pipeline:
        assert_that(pipeline | ReadInputs(str(path)), equal_to(ROWS))
    assert not path.exists()
