"""The inputs' way into the job: a file in the output's staging area, so that the graph stays small however
many they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import apache_beam as beam
from apache_beam.io.filesystem import CompressionTypes
from pydantic import TypeAdapter

from pipelines.storage import files
from schemas.manifest import InputRow

_ROW = TypeAdapter(InputRow)


@contextmanager
def staged(rows: Sequence[InputRow], path: str, output: str) -> Iterator[None]:
    """While the block runs, `path` holds the rows: JSON, one a line."""
    with files.atomic_writer(path, output) as stream:
        for row in rows:
            stream.write(_ROW.dump_json(row) + b"\n")
    try:
        yield
    finally:
        files.delete(path)


@beam.typehints.with_output_types(InputRow)
class ReadInputs(beam.PTransform):
    """-> InputRow. Runners split a long file among their workers."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def expand(self, root: beam.Pipeline) -> beam.PCollection:
        return (
            root
            | beam.io.ReadFromText(self._path, compression_type=CompressionTypes.UNCOMPRESSED, validate=False)
            | "Parse" >> beam.Map(_ROW.validate_json).with_output_types(InputRow)
        )
