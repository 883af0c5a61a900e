"""`favor-data select OUT --where SQL --output NEW`: the samples that pass, as a manifest or as a view."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.build import present_state
from pipelines.commands.of_corpus import parse_of_corpus
from pipelines.commands.parser import Parser
from pipelines.errors import StorageError, UsageError
from pipelines.states.commit import undisturbed
from pipelines.states.derived import STATE_KEY, ensure_derived
from pipelines.states.keep import release
from pipelines.states.views import register
from schemas.corpus import INDEX_NAME
from schemas.grid import ns_to_seconds
from schemas.rows import Row
from schemas.selection.view import VIEW_NAME, View
from schemas.selection.where import Where, WhereError
from schemas.state import CONVERSATIONS_NAME
from storage import files

MANIFESTS = (".jsonl", ".parquet")


def run(argv: Sequence[str]) -> int:
    """Exit status: 0, or 1 where no sample passes.

    Raises:
        UsageError: no corpus, no condition, or an output that is there already.
        StorageError.
    """
    parser = Parser(
        prog="favor-data select",
        description="Select samples by a condition on their index rows, in SQL as DuckDB has it. Where it is "
        "NULL a sample does not pass.",
    )
    parser.add_argument("corpus", metavar="OUT")
    parser.add_argument(
        "--where", required=True, metavar="SQL", help="\"speech_share > 0.5 AND split = 'train'\""
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="NEW",
        help="a manifest (.jsonl, .parquet), or a folder: a view, which loaders read; it copies nothing",
    )
    parser.add_argument(
        "--copy",
        action="store_true",
        help="a corpus of its own: the samples' bytes are copied",
    )
    arguments, output = parse_of_corpus(parser, argv)
    new = files.absolute(arguments.output)
    if files.exists(new) or files.exists(files.join(new, VIEW_NAME)):
        raise UsageError(f"{new} is there already: choose another --output")
    if arguments.copy and new.endswith(MANIFESTS):
        raise UsageError(f"--copy makes a folder: {new} would be a manifest")
    try:
        where = Where(arguments.where)
        count, line = undisturbed(output, lambda: _select(output, where, new, arguments.copy))
    except WhereError as error:
        raise UsageError(f"--where {error}") from error
    print(f"{new}: {line}" if count else f"{output}: {line}; nothing is written")
    return 0 if count else 1


def _select(output: str, where: Where, new: str, copied: bool) -> tuple[int, str]:
    """How many samples, and what to say of it."""
    rows, line, state = _selected(output, where)
    if not rows.num_rows:
        return 0, line
    if copied:
        from pipelines.jobs.copy import copy
        from pipelines.jobs.rearrange import corpus_state

        copy(output, corpus_state(output), frozenset(rows["key"].to_pylist()), where.text, new)
    elif new.endswith(MANIFESTS):
        content = _manifest(output, rows, new.endswith(".parquet"))
        if files.is_local(new):
            Path(files.local_path(new)).write_bytes(content)  # no staging folder beside a user's file
        else:
            files.put(new, content)
    else:
        _write_view(output, new, where, rows, state)
    return rows.num_rows, line


def _selected(output: str, where: Where) -> tuple[pa.Table, str, int]:
    """The index rows that pass, what to say of it, and the state that they are of; columns that the condition
    names are read first."""
    state = present_state(output)
    if state is None:
        raise UsageError(f"{output} holds no corpus: name the folder that build wrote")
    ensure_derived(output, state)
    index = pa.BufferReader(files.read_bytes(files.join(output, INDEX_NAME)))
    schema = pq.read_schema(index)
    known = schema.names
    passed = where.passed(pq.read_table(index, columns=where.columns(known) or ["key"]))
    unknown = f", of {passed.unknown} it cannot be told (NULL)" if passed.unknown else ""
    line = f"{int(passed.mask.sum())} of {len(passed.mask)} samples pass {where.text}{unknown}"
    rows = _rows_of(pq.ParquetFile(index), passed.mask) if passed.mask.any() else pa.table({})
    return rows, line, int(schema.metadata[STATE_KEY])


def _rows_of(index: pq.ParquetFile, mask: npt.NDArray[np.bool_]) -> pa.Table:
    """A row group at a time: a million rows whole take a gigabyte."""
    kept, first = [], 0
    for number in range(index.num_row_groups):
        rows = index.metadata.row_group(number).num_rows
        if (wanted := mask[first : first + rows]).any():
            kept.append(index.read_row_group(number).filter(pa.array(wanted)))
        first += rows
    return pa.concat_tables(kept)


def _write_view(output: str, new: str, where: Where, rows: pa.Table, of: int) -> None:
    """view.json last: without it the folder is none.

    Raises:
        StorageError: a build has committed since the rows were read: they may be of shards that will go.
    """
    name, state = register(output, new)
    if state.state != of:
        release(output, name)
        raise StorageError(f"{output}: a build has committed meanwhile")
    buffer = BytesIO()
    pq.write_table(rows, buffer, compression="zstd")
    files.put(files.join(new, INDEX_NAME), buffer.getvalue(), new)
    files.put(files.join(new, VIEW_NAME), View(output, name, where.text).to_bytes(), new)


def _manifest(output: str, rows: pa.Table, parquet: bool) -> bytes:
    """A row a row of the manifests that the samples came from: a build of it makes the same samples."""
    made = list(_rows(output, rows))
    if not parquet:
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made).encode()
    cells = [{**row.pop("metadata", {}), **row} for row in made]  # a Parquet reader wants one type a column
    names = list(dict.fromkeys(name for row in cells for name in row))
    buffer = BytesIO()
    try:
        pq.write_table(pa.table({name: [row.get(name) for row in cells] for name in names}), buffer)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise UsageError(f"metadata of several types in one column ({error}): choose a .jsonl") from error
    return buffer.getvalue()


def _rows(output: str, rows: pa.Table) -> Iterator[Row]:
    talks = pq.read_table(pa.BufferReader(files.read_bytes(files.join(output, CONVERSATIONS_NAME))))
    wanted = talks.filter(pc.is_in(talks["key"], rows["key"].combine_chunks()))
    said: dict[str, dict[tuple[str, str, str], list[Any]]] = {}
    for talk in wanted.to_pylist():
        whose = (talk["input"], talk["id"], talk["metadata"])
        turns = said.setdefault(talk["key"], {}).setdefault(whose, [])
        if talk["number"] is not None:
            turns.append(talk["turns"])
    for row in rows.select(["key", "uris", "start_ns", "end_ns"]).to_pylist():
        for (_, name, metadata), turns in said.get(row["key"], {}).items():
            more = {"conversations": turns} if turns else {}
            more |= {"metadata": found} if (found := json.loads(metadata)) else {}
            yield {"id": name, **_media(row), **more}


def _media(row: Row) -> Row:
    uris = {name: uri for name, uri in row["uris"].items() if uri}
    if "video" in uris and uris.get("audio") == uris["video"]:
        del uris["audio"]  # a video brings its own sound
    if set(uris) == {"image"}:
        return uris
    return {**uris, "start": ns_to_seconds(row["start_ns"]), "end": ns_to_seconds(row["end_ns"])}
