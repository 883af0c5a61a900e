"""For other people's pipelines: a corpus from a PCollection of rows, and shards of anybody's samples."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike, fspath
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows

from pipelines.build import Build, prepare
from pipelines.build_corpus import Graph, build_corpus
from pipelines.changes import sign
from pipelines.jobs.like import completed
from pipelines.metrics.counters import BYTES, SAMPLES, SHARDS, count
from pipelines.metrics.progress import Progress
from pipelines.settings import Settings, settings
from pipelines.steps.pack import PackShards, Slice, Slices
from pipelines.storage.sources import input_row
from schemas.corpus import shard_name
from schemas.digest import digest
from schemas.forms.plain import plain
from schemas.manifest import InputRow, RowError, manifest_row
from schemas.reasons import Reason
from schemas.rows import Row
from schemas.shard import ShardWriter, tar_bytes
from storage import files

Members = Mapping[str, bytes]


@beam.typehints.with_input_types(dict[str, Any])
class BuildCorpus(beam.PTransform):
    """Manifest rows as dicts, a bounded PCollection -> samples, rejections, corpus.

        made = rows | BuildCorpus("gs://bucket/corpus", clip="openai/clip-vit-large-patch14")
        made.samples     # the corpus's index rows, as dicts
        made.rejections  # the ledger's rows of inputs that gave no sample, as dicts
        made.corpus      # one schemas.state.State, once it is committed, tables and all

    In whatever order the rows come, shards and index are those that `favor-data build` makes of a manifest
    with these rows. The ledger knows a row by its content (`row:HASH`): a row given twice is one input.
    Models are described where the pipeline is made, and their weights read where it runs.

    Args:
        output: the corpus.
        media_root: where relative paths count from; None: the working directory.
        options: the command's by their names: whisper=, clip=, encode={column: "KIND:MODEL"},
            clip_seconds=, keep=, cache=, like= …

    Raises:
        UsageError, ModelUnavailable: here. In the running job: ManifestError for a row that is none,
            StorageError.
    """

    def __init__(
        self,
        output: str | PathLike[str],
        *,
        media_root: str | PathLike[str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self._folder = files.absolute(fspath(media_root) if media_root is not None else ".")
        self._asked = settings(output=fspath(output), **completed(options))
        self._build = prepare(self._asked, Progress(None))
        for line in self._build.cautions():
            warnings.warn(line, stacklevel=2)

    def expand(self, rows: beam.PCollection) -> Graph:
        """Raises:
        ValueError: an unbounded PCollection.
        """
        if not rows.is_bounded:
            raise ValueError("BuildCorpus wants a bounded PCollection: a corpus is a whole")
        inputs = (
            rows
            | "One window" >> beam.WindowInto(GlobalWindows())
            | "Read rows" >> beam.ParDo(_ReadRow(self._folder, self._build, self._asked))
        )
        return build_corpus(inputs, self._build)

    def __repr__(self) -> str:
        return f"<BuildCorpus {self._build.output}: columns {', '.join(self._build.featurizers)}>"


@beam.typehints.with_input_types(dict[str, Any])
@beam.typehints.with_output_types(InputRow)
class _ReadRow(beam.DoFn):
    """A row, named and signed as a launcher does it."""

    def __init__(self, folder: str, build: Build, asked: Settings) -> None:
        self._folder = folder
        self._asked = asked
        self._products = build.products
        self._cutting = build.cutting

    def process(self, values: dict[str, Any]) -> Iterable[InputRow]:
        name = f"row:{digest(plain(values))[:16]}"
        given = {column: value for column, value in values.items() if value is not None}
        try:
            row = input_row(name, self._folder, manifest_row(name, given))
        except RowError as error:
            if not self._asked.skip_bad_rows:
                raise
            row = InputRow(input=name, id=name, refusal=(Reason.BAD_ROW, str(error)))
        heard = [self._asked.heard(row)]
        return sign(heard, self._products, self._cutting, uris=self._asked.uris)


@beam.typehints.with_input_types(tuple[str, Members])
@beam.typehints.with_output_types(Row)
class WriteShards(beam.PTransform):
    """(key, members) of anybody's samples -> WebDataset shards; gives their index rows.

        samples | WriteShards("gs://bucket/corpus", shard_size="512MB")

    `members`: suffix -> bytes ({"npy": …, "json": …}), written in the order of their names as KEY.SUFFIX. An
    index row is {"key", "shard", "offset", "size", "sha256", "members"}: one range read fetches a sample.
    Which sample lies where, and every byte, follow from keys and members alone, not from the order in which
    they come: samples of the same members stand together, sorted by key, and each shard appears whole. The
    members cross a shuffle.

    Args:
        output: a folder without shards; OUT/shards/NNNNNN.tar are written.
        shard_size: a shard is closed before it outgrows this: "512MB", "1GiB" or bytes.

    Raises:
        UsageError: here, no size. In the running job: ValueError for a key given twice, or a key or suffix
            that cannot be a file's name (a dot or slash in a key); StorageError.
    """

    def __init__(self, output: str | PathLike[str], *, shard_size: str | int = "512MB") -> None:
        super().__init__()
        self._output = files.absolute(fspath(output))
        self._shard_bytes = settings(output=self._output, shard_size=shard_size).shard_bytes

    def expand(self, samples: beam.PCollection) -> beam.PCollection:
        keyed = beam.Map(lambda sample: (sample[0], sample)).with_output_types(tuple[str, Any])
        return (
            samples
            | "One window" >> beam.WindowInto(GlobalWindows())
            | "Key" >> keyed
            | "Pack" >> PackShards(Slices(_slice, _first), self._shard_bytes)
            | "Write" >> beam.ParDo(_WriteShard(self._output))
        )

    def __repr__(self) -> str:
        return f"<WriteShards {self._output}: at most {self._shard_bytes} bytes a shard>"


def _first() -> int:
    return 0


def _slice(sample: tuple[str, Members]) -> Slice:
    key, members = sample
    return "+".join(sorted(members)), key, sum(tar_bytes(len(content)) for content in members.values())


@beam.typehints.with_input_types(tuple[int, Iterable[Any]])
@beam.typehints.with_output_types(Row)
class _WriteShard(beam.DoFn):
    def __init__(self, output: str) -> None:
        self._output = output

    def process(self, element: tuple[int, Iterable[tuple[str, Members]]]) -> Iterator[Row]:
        number, samples = element
        name = shard_name(number)
        rows: list[Row] = []
        with files.atomic_writer(files.join(self._output, name), self._output) as stream:
            writer = ShardWriter(stream)
            for key, members in sorted(samples, key=lambda sample: sample[0]):
                extent = writer.add(key, sorted(members.items()))
                rows.append({"key": key, "shard": name, "offset": extent.offset, "size": extent.size,
                             "sha256": extent.sha256, "members": "+".join(sorted(members))})  # fmt: skip
            writer.finish()
        count(SHARDS)
        count(SAMPLES, len(rows))
        count(BYTES, sum(row["size"] for row in rows))
        yield from rows
