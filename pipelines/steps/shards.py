"""Ready samples -> shards and index rows. Membership and order follow from keys and sizes alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import apache_beam as beam

from pipelines.errors import StorageError
from pipelines.members import Members
from pipelines.metrics.counters import BYTES, SAMPLES, SHARDS, count
from pipelines.metrics.profile import timed
from pipelines.records import PlannedSample, Row
from pipelines.steps.assemble import Ready
from pipelines.steps.pack import PackShards, Slice, Slices
from schemas.corpus import CORPUS_NAME, INDEX_NAME, Corpus, shard_name
from schemas.media import Modality
from schemas.sample import Sample
from schemas.shard import Extent, ShardWriter
from schemas.tables import INDEX, read_rows
from storage import files

STAY, MOVE = "stay", "move"
Item = Ready | Row  # a new sample, or the index row of one that lies in a shard to be written anew


@beam.typehints.with_input_types(ready=Ready, standing=Row, leaving=str)
@beam.typehints.with_output_types(Row)
class WriteShards(beam.PTransform):
    """{"ready": Ready, "standing": index row, "leaving": shard name} -> the whole corpus's index rows.

    A shard that loses a sample is written anew under a new number, so that an index always describes
    files as they are; every other shard is left alone.
    """

    def __init__(self, output: str, shard_bytes: int, members: Members) -> None:
        super().__init__()
        self._shard_bytes = shard_bytes
        self._slices = Slices(_slice, partial(first_free_number, output))
        self._write = beam.ParDo(_WriteShard(output, members))

    def expand(self, inputs: Mapping[str, beam.PCollection]) -> beam.PCollection:
        of_row = beam.Map(lambda row: (row["shard"], row)).with_output_types(tuple[str, Row])
        of_leaver = beam.Map(lambda shard: (shard, None)).with_output_types(tuple[str, None])
        key_ready = beam.Map(lambda ready: (ready.sample.key, ready)).with_output_types(tuple[str, Item])
        key_moving = beam.Map(lambda row: (row["key"], row)).with_output_types(tuple[str, Item])
        standing = (
            {
                "rows": inputs["standing"] | "Shard of row" >> of_row,
                "leaving": inputs["leaving"] | "Shard of leaver" >> of_leaver,
            }
            | "By shard" >> beam.CoGroupByKey()
            | "Stay or move"
            >> beam.FlatMap(_stay_or_move).with_output_types(Row, stay=Row, move=Row).with_outputs(STAY, MOVE)
        )
        items = (
            inputs["ready"] | "Key ready" >> key_ready,
            standing[MOVE] | "Key moving" >> key_moving,
        ) | "To write" >> beam.Flatten()
        written = items | "Pack" >> PackShards(self._slices, self._shard_bytes) | "Write" >> self._write
        return (standing[STAY], written) | "Index rows" >> beam.Flatten()


def _stay_or_move(element: tuple[str, Mapping[str, Iterable[Any]]]) -> Iterator[Any]:
    joined = element[1]
    leaving = list(joined["leaving"])
    for row in joined["rows"]:
        yield beam.pvalue.TaggedOutput(MOVE if leaving else STAY, row)


def _slice(item: Item) -> Slice:
    if isinstance(item, Ready):
        return item.group, item.sample.key, item.size
    return item["members"], item["key"], item["size"]


def first_free_number(output: str) -> int:
    """The first shard number that neither the index nor an earlier snapshot uses."""
    corpus, index = files.join(output, CORPUS_NAME), files.join(output, INDEX_NAME)
    known = Corpus.model_validate_json(files.read_bytes(corpus)).next_shard if files.exists(corpus) else 0
    if not files.exists(index):
        return known
    with files.open_read(index) as stream:
        return max([known, *(after(row["shard"]) for row in read_rows(stream, INDEX))])


def after(shard: str) -> int:
    """The number that follows a shard's ("shards/000004.tar": 5)."""
    return int(shard.removesuffix(".tar").rpartition("/")[2]) + 1


@beam.typehints.with_input_types(tuple[int, Iterable[Item]])
@beam.typehints.with_output_types(Row)
class _WriteShard(beam.DoFn):
    def __init__(self, output: str, members: Members) -> None:
        self._output = output
        self._members = members

    def process(self, element: tuple[int, Iterable[Item]]) -> Iterator[Row]:
        number, items = element[0], list(element[1])
        name = shard_name(number)
        rows = []
        with timed("shards"), files.atomic_writer(files.join(self._output, name), self._output) as stream:
            writer = ShardWriter(stream)
            for _, item in sorted(((_slice(item)[1], item) for item in items), key=lambda pair: pair[0]):
                rows.append(self._moved(writer, item) if isinstance(item, dict) else self._new(writer, item))
            writer.finish()
        count(SHARDS)
        count(SAMPLES, sum(isinstance(item, Ready) for item in items))
        count(BYTES, sum(row["size"] for row in rows))
        yield from ({**row, "shard": name} for row in rows)

    def _new(self, writer: ShardWriter, ready: Ready) -> Row:
        sample = ready.sample
        record, contents = self._members.read(sample)
        extent = writer.add(sample.key, contents.items())
        return _index_row(sample, record, extent, ready.group, sample.content(self._members.made))

    def _moved(self, writer: ShardWriter, row: Row) -> Row:
        with files.open_read(files.join(self._output, row["shard"])) as stream:
            stream.seek(row["offset"])
            extent = writer.add_extent(stream.read(row["size"]))
        if extent.sha256 != row["sha256"]:
            raise StorageError(
                f"{row['shard']} is damaged at {row['key']}: run favor-data verify {self._output}"
            )
        return {**row, "offset": extent.offset}


def _index_row(sample: PlannedSample, record: Sample, extent: Extent, members: str, content: str) -> Row:
    return {
        "key": sample.key,
        "id": sample.id,
        "offset": extent.offset,
        "size": extent.size,
        "sha256": extent.sha256,
        "content": content,
        "members": members,
        "steps": record.steps,
        "start_ns": sample.span.start_ns,
        "end_ns": sample.span.end_ns,
        "audio_steps": sum(record.audio_mask),
        "visual_steps": sum(record.visual_mask),
        "conversations": len(sample.conversations),
        "modalities": sorted(
            str(modality)
            for modality in sample.media
            if any(record.audio_mask if modality is Modality.AUDIO else record.visual_mask)
        ),
        "uris": {str(modality): source.uri for modality, source in sample.media.items()},
        "digests": {str(modality): source.content for modality, source in sample.media.items()},
    }
