"""`favor-data show OUT KEY`: what one sample holds, where it came from, and its frames as a strip."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.commands.draw.inline import inline
from pipelines.commands.draw.looking import Looked, Looker
from pipelines.commands.draw.report import index_of, state_of
from pipelines.commands.of_corpus import parse_of_corpus
from pipelines.commands.parser import Parser
from pipelines.errors import UsageError
from pipelines.states.commit import undisturbed
from report.page import bytes_text
from report.sheet import strip
from schemas.grid import ns_to_seconds
from schemas.rows import Row

_A_LINE = 8  # frames, in a terminal
_MOST_IDS = 10_000  # that one which was not typed rightly is compared with


def run(argv: Sequence[str]) -> int:
    """Exit status 0.

    Raises:
        UsageError: no corpus, or no such sample.
        StorageError.
    """
    parser = Parser(
        prog="favor-data show", description="Show one sample: its members, source, words, frames."
    )
    parser.add_argument("corpus", metavar="OUT")
    parser.add_argument("key", metavar="KEY", help="of the index, or the id of a row")
    parser.add_argument("--output", metavar="FILE.png", help="where the strip of frames goes (KEY.png, here)")
    arguments, output = parse_of_corpus(parser, argv)
    row, looked = undisturbed(output, lambda: _looked(output, arguments.key))
    for line in _said(row, looked):
        print(line)
    if looked.medium.frames:
        target = Path(arguments.output or f"{row['key']}.png")
        target.write_bytes(strip(looked.medium.frames, row["steps"]))
        print(f"  frames      {target}: {len(looked.medium.frames)} of {row['steps']} steps, side by side")
        if sys.stdout.isatty():
            for part in _parts(looked.medium.frames, row["steps"]):
                sys.stdout.write(inline(part, os.environ))
    return 0


def _looked(output: str, key: str) -> tuple[Row, Looked]:
    """The sample of that key, or of a row of that id."""
    state, index = state_of(output), index_of(output)
    for name in ("key", "id"):
        found = index.filter(pc.equal(index[name], key))
        if len(found):
            break
    else:
        raise UsageError(f"{output} has no sample {key!r}{_meant(key, index['id'])}")
    row: Row = found.slice(0, 1).to_pylist()[0]
    with closing(Looker(output, state.options)) as looker:
        return row, looker.look(row)


def _meant(given: str, ids: pa.ChunkedArray) -> str:
    near = ids.filter(pc.match_substring(ids, given, ignore_case=True)).slice(0, 1).to_pylist()
    near = near or difflib.get_close_matches(given, ids.slice(0, _MOST_IDS).to_pylist(), n=1)
    return f": did you mean {near[0]}?" if near else ": index.parquet lists keys and ids"


def _parts(frames: Mapping[int, bytes], steps: int) -> Iterator[bytes]:
    """Strips as wide as a terminal."""
    for first in range(0, steps, _A_LINE):
        some = {step - first: frames[step] for step in frames if first <= step < first + _A_LINE}
        if some:
            yield strip(some, min(_A_LINE, steps - first))


def _said(row: Row, looked: Looked) -> Iterator[str]:
    start, end = (ns_to_seconds(row[name]) for name in ("start_ns", "end_ns"))
    steps = f"{row['steps']} steps; {row['audio_steps']} with sound, {row['visual_steps']} with a frame"
    yield f"{row['key']}"
    yield f"  id          {row['id']}"
    yield f"  span        {start:g} to {end:g} s, {steps}"
    yield from _places(row)
    yield from (f"  .{name:<24}{bytes_text(size):>9}" for name, size in looked.members.items())
    yield from (f"  {one['column']:<12}{one['dtype']} {one['shape']}" for one in row["features"])
    yield from (f"  remark      {remark}" for remark in looked.record.get("remarks", []))
    for step in sorted({word["step"] for word in looked.words}):
        said = " ".join(word["word"] for word in looked.words if word["step"] == step)
        yield f"  {start + step / 2:8.1f} s  {said}"
    for talk in looked.said["conversations"]:
        yield from (f"  {turn['from']:<12}{turn['value']}" for turn in talk)
    if looked.medium.note:
        yield f"  note        {looked.medium.note}"


def _places(row: Row) -> Iterator[str]:
    for modality, uri in row["uris"].items():
        if uri:
            yield f"  {modality:<12}{uri}, SHA-256 {row['digests'][modality][:16]}…"
    for extent in (row, *row["columns"]):
        if extent["size"]:
            end = extent["offset"] + extent["size"]
            yield f"  lies in     {extent['shard']}, bytes {extent['offset']} to {end}"
