"""`build`: what the command does, as a function."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from os import PathLike, fspath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from loaders.corpus import Corpus, open_corpus
from pipelines.jobs.launch import Launched, launch
from pipelines.jobs.like import completed
from pipelines.settings import settings
from schemas.corpus import LEDGER_NAME, Column, Counts
from storage import files


class Built:
    """What a build left behind.

    Attributes:
        output: the corpus's folder.
        counts: of the whole corpus: inputs, done, rejected, filtered, removed, rejected_by_reason, remarks,
            samples, steps, shards, bytes, conversations.
        state: number of the corpus's state.
        columns: name -> what made it.
        seconds: by stage of this build, "build" for the whole; empty where there was nothing to do.
        counters: of this build alone; docs/api.md lists them.
    """

    def __init__(self, launched: Launched) -> None:
        self.output: str = launched.output
        assert launched.state is not None, "a build of no input is refused before"
        self.state: int = launched.state.state
        self.counts = Counts.model_validate(launched.state.counts)
        self.columns: dict[str, Column] = launched.state.columns
        self.seconds = launched.seconds
        self.counters = launched.counters

    @cached_property
    def ledger(self) -> pa.Table:
        """One row an input of the corpus (schemas/rows.py), read when it is first asked for."""
        with files.open_read(files.join(self.output, LEDGER_NAME)) as stream:
            return pq.read_table(pa.BufferReader(stream.read()))

    @property
    def rejections(self) -> pa.Table:
        """The ledger's rejected rows: input, stage, reason, detail."""
        return self.ledger.filter(pc.equal(self.ledger["status"], "rejected"))

    def open(self, **how: Any) -> Corpus:
        """`open_corpus` of it."""
        return open_corpus(self.output, **how)

    def __repr__(self) -> str:
        counts = self.counts
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts.rejected_by_reason.items())
        return (
            f"<Built {self.output}: {counts.inputs} inputs, {counts.done} done, "
            f"{counts.rejected} rejected{f' ({reasons})' if reasons else ''}; "
            f"{counts.samples} samples in {counts.shards} shards, "
            f"columns {', '.join(self.columns)}>"
        )


def build(
    sources: str | PathLike[str] | Sequence[str | PathLike[str]],
    output: str | PathLike[str],
    *,
    like: str | None = None,
    whisper: str | None = None,
    clip: str | None = None,
    encode: Mapping[str, str] | None = None,
    store: Mapping[str, str] | None = None,
    clip_seconds: float | str | None = None,
    cut: str | None = None,
    shortest_clip: float | str | None = None,
    first_clip: bool | None = None,
    frame_at: str | None = None,
    fit: str | None = None,
    clip_tokens: str | None = None,
    prompt: str | None = None,
    audio_track: str | int | None = None,
    audio_channel: str | None = None,
    audio_tail: bool | None = None,
    no_sound: bool | None = None,
    decoder: str | None = None,
    keep: str | Iterable[str] | None = None,
    transcribe: bool | None = None,
    language: str | None = None,
    signals: bool | str | None = None,
    where: str | None = None,
    uris: str | None = None,
    skip_bad_rows: bool | None = None,
    least_rate: float | str | None = None,
    limit: int | None = None,
    device: str | None = None,
    dtype: str | None = None,
    shard_size: str | int | None = None,
    cache: str | PathLike[str] | None = None,
    retry: str | Iterable[str] | None = None,
    accelerator: str | None = None,
    mirror: bool | None = None,
    yes: bool | None = None,
    beam_options: PipelineOptions | Sequence[str] = (),
) -> Built:
    """`favor-data build SOURCE… --output OUT`: the same bytes, counted in an object.

    Args:
        sources: media files, folders, globs, manifests or tars; one or several.
        like: "favor" or "video-salmonn": what is not given beside it is as their released code has it.
        encode: further columns, name -> KIND:MODEL.
        store: column -> "int8": half the bytes, nearly the same numbers.
        beam_options: Beam's own, as on a command line; without a runner among them, this process builds.
            The rest are the command's options by their names (`favor-data build --help`); None: its default.

    Raises:
        UsageError, ManifestError, ModelUnavailable: what was asked for cannot be done; one line that says
            what is wrong and how to mend it. Nothing was written.
        StorageError: a storage failed; the same call goes on from what is done.
    """
    options = {name: value for name, value in locals().items() if value is not None}
    several = [sources] if isinstance(sources, (str, PathLike)) else sources
    options |= {"sources": [fspath(source) for source in several], "output": fspath(output)}
    options |= {} if cache is None else {"cache": fspath(cache)}
    del options["beam_options"]
    asked = settings(**completed(options))
    beams: Any = beam_options  # PipelineOptions, which have no types
    if not isinstance(beams, PipelineOptions):
        beams = PipelineOptions(list(beam_options))
    if beams.view_as(StandardOptions).runner is None:
        beams.view_as(StandardOptions).runner = "FnApiRunner"
    return Built(launch(asked, beams, warn=_warn))


def _warn(line: str) -> None:
    warnings.warn(line, stacklevel=4)
