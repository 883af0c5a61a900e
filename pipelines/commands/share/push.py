"""`favor-data push OUT hf://datasets/OWNER/NAME`: a corpus onto Hugging Face's hub."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipelines.commands.make.summary import bytes_text
from pipelines.commands.parser import Parser
from pipelines.commands.share.card import write_card
from pipelines.commands.share.contents import NO_LICENCE, Contents, published
from pipelines.commands.share.hub import Repository, commits, same
from pipelines.errors import StorageError, UsageError
from pipelines.jobs.rearrange import corpus_state
from pipelines.states.derived import ensure_derived
from pipelines.states.restore import restore_parts
from storage import files

_MOST = 20  # folders of media and licences that are listed
# What earlier states of a corpus left on the hub, and nothing else there.
_OURS = re.compile(
    r"(shards|columns/[a-z0-9_]+)/\d{6,}(-[0-9a-f]{8})?(\.[0-9a-f]{8})?\.tar|states/\d{6,}\.json"
    r"|tables/(index|conversations|ledger)-[0-9a-f]{16}\.parquet"
)


def run(argv: Sequence[str]) -> int:
    """Exit status 0.

    Raises:
        UsageError: no corpus, not on a disk, no such place, or the hub refuses.
        StorageError: the hub does not answer: the same command goes on.
    """
    parser = Parser(
        prog="favor-data push",
        description="Publish the present state of a corpus as a dataset on Hugging Face's hub. What it "
        "publishes is listed first; stopped at any time, the same command goes on; pushed again after a "
        "build, only what changed goes. A dataset that is not there yet is made, private.",
    )
    parser.add_argument("corpus", metavar="OUT")
    parser.add_argument("target", metavar="hf://datasets/OWNER/NAME")
    parser.add_argument("--public", action="store_true", help="a dataset that is made is public at once")
    parser.add_argument("--dry-run", action="store_true", help="only list what would be published")
    asked: argparse.Namespace = parser.parse_args(argv)
    output = files.absolute(asked.corpus)
    repository = Repository.of(asked.target)
    if not files.is_local(output):
        raise UsageError(f"{output}: push reads a corpus on a disk: mount the bucket, or copy it")
    state = corpus_state(output)
    restore_parts(output, state)
    ensure_derived(output, state)
    contents = Contents.of(output, state)
    if not asked.dry_run:
        write_card(contents)
    shards, told = published(output, state)
    for line in _listing(contents, shards, told):
        print(line, flush=True)
    if not asked.dry_run:
        for line in _push(contents, repository, shards, told, asked.public):
            print(line, flush=True)
    return 0


def _listing(contents: Contents, shards: Sequence[str], told: Sequence[str]) -> Iterator[str]:
    """What will be there for others to see."""
    state, output = contents.state, contents.output
    sizes = {name: _size(output, name) for name in (*shards, *told)}
    yield f"{output}, state {state.state}: {len(sizes)} files, {bytes_text(sum(sizes.values()))}"
    yield from (f"  {bytes_text(size):>8}  {name}" for name, size in sizes.items())
    counts = state.counts
    yield f"{counts['samples']} samples, {counts['conversations']} conversations, {counts['inputs']} inputs"
    for name, column in sorted(state.columns.items()):
        yield f"  {name:<12}{column.kind} {column.model}{', UNTRAINED' if column.untrained else ''}"
    said = [f"{text or 'none stated'} ({count} rows)" for text, count in contents.licences.most_common(_MOST)]
    more = [f"{len(contents.licences) - _MOST} others"] if len(contents.licences) > _MOST else []
    yield f"licences: {', '.join([*said, *more])}"
    if unnamed := contents.licences[NO_LICENCE]:
        yield f"  {unnamed} rows state none: ask whether you may publish them"
    uris, folders = contents.places.total(), len(contents.places)
    yield f"uris of media, in KEY.json and the tables: {uris}, in {folders} folders"
    for place, count in contents.places.most_common(_MOST):
        yield f"  {count:>8}  {place or '(names alone)'}: {contents.example[place]}"
    if folders > _MOST:
        yield f"  … and {folders - _MOST} folders more"
    yield from (f"  SOURCE    {source}" for source in state.sources)
    if any(files.is_local(place) and place.startswith("/") for place in contents.places):
        yield "  paths of this machine: build with --uris relative or --uris hashed to keep them to yourself"


def _size(output: str, name: str) -> int:
    """0 of a card that a dry run has not written."""
    path = Path(output, name)
    return path.stat().st_size if path.exists() else 0


def _push(
    contents: Contents,
    repository: Repository,
    shards: Sequence[str],
    told: Sequence[str],
    public: bool,
) -> Iterator[str]:
    """Shards first, and last the state that names them: until then the hub shows the state before."""
    output, state = contents.output, contents.state
    seen = repository.is_public()
    repository.create(public)
    there = repository.files()
    paths = {name: str(Path(output, *name.split("/"))) for name in (*shards, *told)}
    try:
        missing = [name for name in paths if not same(paths[name], there.get(name))]
        gone = sorted(name for name in there if name not in paths and _OURS.fullmatch(name))
        shown = "public" if (public if seen is None else seen) else "private"
        where = f"hf://datasets/{repository.name} ({'new, ' if seen is None else ''}{shown})"
        held = len(paths) - len(missing)
        yield f"{where}: {held} files are there already, {len(missing)} to send, {len(gone)} to delete"
        waiting = set(missing)
        for chunk in commits([n for n in shards if n in waiting], lambda name: _size(output, name)):
            repository.commit(f"Shards of state {state.state}", {name: paths[name] for name in chunk})
            yield f"  {len(chunk)} shards, {bytes_text(sum(_size(output, name) for name in chunk))}"
        last = {name: paths[name] for name in told if name in waiting}
        if last or gone:
            repository.commit(f"State {state.state}", last, gone)
    except FileNotFoundError as error:
        raise StorageError(
            f"{error.filename} is gone: a build went on meanwhile; the same command pushes its state"
        ) from error
    yield f"{where}: state {state.state}"
