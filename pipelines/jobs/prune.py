"""Nothing is left of what was taken out: files that no state needs go, rows become tombstones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from pipelines.build import present_state
from pipelines.changes import REMOVED, salt_of, tombstone
from pipelines.errors import UsageError
from pipelines.products import products_of_build
from pipelines.records import Probed
from pipelines.settle import FEATURES, Around, entries_of, settle
from pipelines.states.commit import Changes, ConflictError, commit
from pipelines.states.parts import TALKS_OF, MissingPartError, Parts
from pipelines.states.sweep import at_work, kept_states
from pipelines.steps.cuts.find import CUTS_SUFFIX, file_of
from pipelines.steps.probe import MEMO_SUFFIX, read_memo
from pipelines.storage.cache import Cache
from schemas.corpus import CACHE_NAME
from schemas.rows import Row
from schemas.state import LOADERS, State
from storage import files

_TRIES = 10


@dataclass(frozen=True)
class Pruned:
    """What a prune takes away, or would.

    Attributes:
        inputs: whose rows become tombstones.
        entries: path -> bytes, of the corpus's own cache.
    """

    inputs: list[str]
    entries: dict[str, int]


def prune(output: str, dry_run: bool = False) -> Pruned:
    """Deletes what neither the present nor a kept state needs. Killed at any point, it can be called again.

    Raises:
        UsageError: no corpus, a build is at work, or a kept state holds an input that was taken out.
        StorageError.
    """
    if present_state(output) is None:
        raise UsageError(f"{output} holds no corpus: name the folder that build wrote")
    for _ in range(_TRIES):
        own = files.staging_path(output)
        try:
            with suppress(ConflictError, MissingPartError), _lease(own, dry_run):
                return _prune(output, dry_run, own)
        finally:
            files.sweep(output)  # the empty folder of what is being written
    raise UsageError(f"builds commit into {output} all the time: wait for their end")


def _lease(own: str, dry_run: bool) -> AbstractContextManager[None]:
    return nullcontext() if dry_run else files.scratch(own, [b"prune"])


def _prune(output: str, dry_run: bool, own: str) -> Pruned:
    """As `prune`; raises ConflictError and MissingPartError too, where a build commits meanwhile."""
    state = present_state(output)
    assert state is not None
    if at_work(output, [own]):
        raise UsageError(f"a build is at work on {output}: wait for its end")
    parts = Parts(output)
    removed = [row for part in state.ledger for row in parts.ledger(part) if row["status"] == REMOVED]
    kept = kept_states(output)
    names = {row["input"] for row in removed}
    for name, other in kept.items():
        _check_free(output, name, other, names)
    if dry_run:
        return Pruned(sorted(names), dict(_unneeded(output, [state, *kept.values()])))
    state = _bury(output, state, removed)
    products = products_of_build(state.columns, state.options)
    settle(Around(output, Cache(files.join(output, CACHE_NAME)), products, state), {}, own=[own])
    _forget_indexes(output)
    entries = dict(_unneeded(output, [state, *kept.values()]))
    files.delete_many(sorted(entries))
    return Pruned(sorted(names), entries)


def _forget_indexes(output: str) -> None:
    """What `favor-data index` made names samples and their words: it is made again when it is wanted."""
    if files.is_local(output):
        for name in LOADERS:
            shutil.rmtree(Path(output, name), ignore_errors=True)


def _check_free(output: str, name: str, kept: State, removed: set[str]) -> None:
    parts = Parts(output)
    for part in kept.index:
        for row in parts.index(part):
            for talk in row[TALKS_OF]:
                if talk["input"] in removed:
                    raise UsageError(
                        f"the state {name!r} that is kept holds {talk['input']}, which was taken out: "
                        f"release it first (favor-data keep {output} {name} --release)"
                    )


def _bury(output: str, state: State, removed: list[Row]) -> State:
    """The state without the rows of inputs that were taken out; raises ConflictError."""
    if not removed:
        return state
    salt = salt_of(state)
    names = {row["input"] for row in removed}
    changes = Changes(
        parent=state.state,
        options=state.options,
        columns=state.columns,
        layers=state.layers,
        next_shard=state.next_shard,
        seen={row["input"]: row["signature"] for row in removed},
        dropped=frozenset(names),
        salt=salt,
        tombstones=frozenset(tombstone(salt, row["id"], row["uris"]) for row in removed),
        forgotten=frozenset(names | {uri for row in removed for uri in row["uris"]}),
    )
    return commit(output, changes)


def _unneeded(output: str, states: list[State]) -> Iterator[tuple[str, int]]:
    """Path and size of the entries of OUT/cache that no state needs; features lie in the shards."""
    root = files.join(output, CACHE_NAME)
    cache, parts = Cache(root), Parts(output)
    needed: set[str] = set()
    digests: set[str] = set()
    for state in states:
        products = products_of_build(state.columns, state.options)
        for part in state.index:
            for row in parts.index(part):
                needed.update(entries_of(row, products))
                digests.update(digest.partition("+")[0] for digest in row["digests"].values() if digest)
    staging = files.join(root, files.STAGING)
    for path, entry in files.listing(root).items():
        folder, name = files.split(path)
        if folder == staging or (name in needed and not name.endswith(FEATURES)):
            continue
        if name.endswith(f".{MEMO_SUFFIX}") and _probed(cache, name).sha256 in digests:
            continue
        if name.endswith(f".{CUTS_SUFFIX}") and file_of(cache.get(_key(name), CUTS_SUFFIX)) in digests:
            continue
        yield path, entry.size


def _probed(cache: Cache, name: str) -> Probed:
    return read_memo(cache.get(_key(name), MEMO_SUFFIX))


def _key(name: str) -> str:
    return name.partition(".")[0]
