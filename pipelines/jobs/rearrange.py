"""Changes of a corpus that look at no media: taking inputs out, packing, dropping a column.

Each is a build of nothing, so that it commits, resumes and gives way to rivals as every build does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from decoders.limits import Limits
from pipelines.build import Build, Facts, present_state
from pipelines.changes import REMOVED, read_ledger
from pipelines.errors import UsageError
from pipelines.jobs.launch import Job
from pipelines.metrics.progress import Progress
from pipelines.products import PLACEMENT, WORDS, products_of_build
from pipelines.settings import clip_length
from pipelines.settle import Around, settle
from pipelines.states.parts import Parts
from pipelines.steps.pack import packed
from pipelines.storage.cache import Cache
from schemas.corpus import CACHE_NAME
from schemas.cuts import Cutting
from schemas.sample import SAMPLE_VERSION
from schemas.state import ANNOTATIONS, BASE, State
from storage import files

KEPT_NAMES = {"frames": "jpeg", "audio": "flac"}  # of --keep, and what the products are called


def corpus_state(output: str) -> State:
    """The present state; a corpus of version 1 is migrated.

    Raises:
        UsageError: there is no corpus.
    """
    state = present_state(output)
    if state is None:
        raise UsageError(f"{output} holds no corpus: name the folder that build wrote")
    return state


def settled(output: str) -> State:
    """The present state, with everything around it in order: what a killed command left is swept.

    Raises:
        UsageError: there is no corpus.
    """
    state = corpus_state(output)
    products = products_of_build(state.columns, state.options)
    settle(Around(output, Cache(files.join(output, CACHE_NAME)), products, None), {})
    return state


def removal(output: str, names: Sequence[str]) -> Job:
    """Takes inputs out: the ledger says so, and later builds leave them out.

    Args:
        names: of inputs as the ledger has them, ids of rows, or media.

    Raises:
        UsageError: one that the ledger does not know.
    """
    state = corpus_state(output)
    ledger = read_ledger(output, state)
    found = {row["input"]: row for name in names for row in _named(output, name, ledger)}
    removed = tuple(
        {
            **row,
            "status": REMOVED,
            **dict.fromkeys(("stage", "reason", "detail")),
            **{name: [] for name in ("keys", "outcomes", "remarks")},
        }
        for row in found.values()
        if row["status"] != REMOVED
    )
    return _job(replace(_standing(output, state), removed=removed), bool(removed))


def _named(output: str, name: str, ledger: Mapping[str, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    whole = files.absolute(name)
    found = [row for row in ledger.values() if {name, whole} & {row["input"], *row["uris"]}]
    found = found or [row for row in ledger.values() if row["id"] == name]
    if not found:
        raise UsageError(
            f"{output} has no input {name!r}: ledger.parquet lists them (columns input, id and uris)"
        )
    return found


def packing(output: str) -> Job:
    """Base and column shards become base shards; annotations stay apart."""
    state = corpus_state(output)
    build = _standing(output, state)
    names = {product.name for product in build.products.all} - {PLACEMENT}
    layers = {BASE: sorted(names), ANNOTATIONS: []}
    build = replace(build, facts=replace(build.facts, layers=layers), anew=True)
    return _job(build, layers != state.layers or not _is_packed(output, state, build.shard_bytes))


def _is_packed(output: str, state: State, shard_bytes: int) -> bool:
    """Whether packing would put the same samples together again: so twice is once."""
    parts, lying = Parts(output), defaultdict(list)
    slices = []
    for row in (row for part in state.index for row in parts.index(part)):
        slices.append((row["members"], row["key"], row["size"]))
        lying[row["shard"]].append(row["key"])
        if row["record"] < SAMPLE_VERSION:
            return False
    wanted = sorted(sorted(keys) for keys in packed(slices, shard_bytes, 0).values())
    return wanted == sorted(sorted(keys) for keys in lying.values())


def dropping(output: str, column: str) -> Job:
    """Takes a column out: features, `words`, or what `--keep` kept (`frames`, `audio`).

    Raises:
        UsageError: no such column, or no other.
    """
    state = corpus_state(output)
    options, columns = dict(state.options), dict(state.columns)
    if column in columns:
        del columns[column]
        for option in {"columns", "store"} & options.keys():
            options[option] = {name: said for name, said in options[option].items() if name != column}
    elif column in options["keep"]:
        options["keep"] = [name for name in options["keep"] if name != column]
    elif column == WORDS and options["transcribe"]:
        options["transcribe"] = False
    else:
        held = [*columns, *options["keep"], *([WORDS] if options["transcribe"] else [])]
        raise UsageError(f"{output} has no column {column!r}; it has {', '.join(held)}")
    if not columns:
        raise UsageError(f"{column} is the only column of {output}: to be rid of it, delete the corpus")
    names = {product.name for product in products_of_build(columns, options).all}
    if WORDS not in names:
        options = {name: value for name, value in options.items() if name != "language"}
        options["transcribe"] = False
    layers = {layer: [name for name in made if name in names] for layer, made in state.layers.items()}
    layers = {layer: made for layer, made in layers.items() if made or layer in (BASE, ANNOTATIONS)}
    build = replace(
        _standing(output, state),
        products=products_of_build(columns, options),
        facts=Facts(options, columns, layers),
    )
    return _job(build, work=True)


def _standing(output: str, state: State) -> Build:
    """A build that makes nothing that the corpus does not hold."""
    return Build(
        output=output,
        cache=Cache(files.join(output, CACHE_NAME)),
        featurizers={},
        products=products_of_build(state.columns, state.options),
        cutting=Cutting(clip_length(state.options["clip_seconds"])),
        decoder=state.options["decoder"],
        shard_bytes=state.options["shard_bytes"],
        limits=Limits(),
        progress=Progress(None),
        facts=Facts(state.options, state.columns, state.layers),
        parent=state,
    )


def _job(build: Build, work: bool) -> Job:
    return Job(build, (), files.staging_path(build.output), frozenset(), work)
