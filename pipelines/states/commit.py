"""The step that makes a build's work a part of the corpus: the next state, created if nobody was first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pipelines.errors import StorageError, UsageError
from pipelines.states.parts import Parts
from schemas.corpus import Column
from schemas.rows import Row
from schemas.state import STATES, FormatError, State, state_name, state_number
from storage import files

T = TypeVar("T")
_TRIES = 50


class ConflictError(Exception):
    """Another build changed what this one changes: compare again, from the newer state."""


@dataclass(frozen=True)
class Changes:
    """What a build, or a command that takes something out, makes of a state.

    Attributes:
        parent: number of the state that it was compared with; 0: there was none.
        put: index rows, as schemas.rows.INDEX, with their conversations under TALKS_OF where those are new.
        gone: key -> index row of that state, of every sample that leaves or that `put` replaces.
        ledger: rows put.
        seen: input -> signature in that state, of the rows put and dropped; absent: it was not there.
        dropped: inputs whose rows go without a trace.
        tombstones: salted digests added.
        sources: SOURCEs added; of a build that was `mirrored`, all that there are.
        forgotten: SOURCEs taken out.
    """

    parent: int
    options: Mapping[str, Any]
    columns: Mapping[str, Column]
    layers: Mapping[str, Sequence[str]]
    next_shard: int
    put: Sequence[Row] = ()
    gone: Mapping[str, Row] = field(default_factory=dict)
    ledger: Sequence[Row] = ()
    seen: Mapping[str, str] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()
    salt: str = ""
    tombstones: frozenset[str] = frozenset()
    sources: Sequence[str] = ()
    mirrored: bool = False
    forgotten: frozenset[str] = frozenset()


def latest(output: str) -> State | None:
    """The present state; None before the first.

    Raises:
        UsageError: it is of a later format, or damaged.
        StorageError.
    """
    for _ in range(_TRIES):
        if not (number := latest_number(output)):
            return None
        with suppress(FileNotFoundError):  # a newer one has taken its place, or its disk has gone
            return read_state(output, number)
    raise lost(output)


def undisturbed(output: str, read: Callable[[], T]) -> T:
    """What `read` gives; once more where it failed and another build has committed meanwhile, which may have
    swept what it read.

    Raises:
        StorageError, and what `read` raises.
    """
    for _ in range(_TRIES):
        number = latest_number(output)
        try:
            return read()
        except (StorageError, OSError, LookupError, ValueError):
            if (now := latest_number(output)) == number:
                raise
            if not now:
                raise lost(output) from None
    raise StorageError(f"{output}: builds commit faster than it can be read; try again")


def latest_number(output: str) -> int:
    """Its number; 0: there is none."""
    found = map(state_number, files.listing(files.join(output, STATES)))
    return max((number for number in found if number is not None), default=0)


def read_state(output: str, number: int) -> State:
    """Raises FileNotFoundError, UsageError, StorageError."""
    return read_named(output, state_name(number))


def read_named(output: str, name: str) -> State:
    """The state that a file inside the corpus holds.

    Raises:
        UsageError: it is of a later format, or damaged.
        FileNotFoundError, StorageError.
    """
    try:
        return State.read(files.read_bytes(files.join(output, *name.split("/"))), name)
    except FormatError as error:
        raise UsageError(f"{output}: {error}") from error


def commit(output: str, changes: Changes) -> State:
    """The state that holds the changes: a new one, or the present one where it holds them already.

    Raises:
        ConflictError: a newer state changed the same inputs, samples or columns.
        StorageError.
    """
    for _ in range(_TRIES):
        found = latest(output)
        if found is None and changes.parent:
            raise lost(output)
        state = applied(output, found, changes)
        if found is not None and state == found.model_copy(update={"state": state.state}):
            return found
        _check_there(output, state, changes.put)
        path = files.join(output, *state_name(state.state).split("/"))
        if files.create_if_absent(path, state.to_bytes(), output):
            try:  # who slept between the look and the commit, and was thought dead, has been swept meanwhile
                _check_there(output, state, changes.put)
            except ConflictError:
                files.delete(path)
                raise
            return state
    raise StorageError(f"{output}: other builds commit all the time; this one gave way {_TRIES} times")


def lost(output: str) -> StorageError:
    """To be said of a corpus that had a state a moment ago."""
    return StorageError(f"{output}: its states were there and are not any more: is its disk mounted?")


def _check_there(output: str, state: State, put: Sequence[Row]) -> None:
    """A build that was thought dead may find its shards and tables swept."""
    names = {extent["shard"] for row in put for extent in (row, *row["columns"]) if extent["size"]}
    wanted = [files.join(output, *name.split("/")) for name in sorted(names | tables_of(state))]
    for path, found in files.entries(wanted).items():
        if isinstance(found, FileNotFoundError):
            raise ConflictError(f"{path} was swept: this build was thought dead")


def tables_of(state: State) -> set[str]:
    """Every part that a state names."""
    return {name for part in state.index for name in (part.table, part.talks)} | {
        part.table for part in state.ledger
    }


def applied(output: str, found: State | None, changes: Changes) -> State:
    """The state after `found` with the changes; writes its parts of the tables.

    Raises:
        ConflictError, StorageError.
    """
    parts = Parts(output)
    put, gone = list(changes.put), dict(changes.gone)
    ledger, dropped = list(changes.ledger), set(changes.dropped)
    columns, layers, options = dict(changes.columns), changes.layers, dict(changes.options)
    if found is not None and found.state != changes.parent:
        put, gone = _still_to_do(parts, found, put, gone)
        ledger, dropped = _still_to_say(parts, found, ledger, changes.seen, dropped)
        if changes.parent and _made(read_state(output, changes.parent)) == _made_by(changes):
            columns, layers, options = found.columns, found.layers, found.options
        elif _made(found) != _made_by(changes):
            raise ConflictError("another build changed the columns")
    before = found or State(state=0, options={}, columns={}, layers={}, next_shard=0)
    return State(
        state=before.state + 1,
        options=options,
        columns=columns,
        layers={name: sorted(products) for name, products in layers.items()},
        sources=sorted({*([] if changes.mirrored else before.sources), *changes.sources} - changes.forgotten),
        next_shard=max(before.next_shard, changes.next_shard),
        index=parts.with_samples(before.index, put, {key: row["shard"] for key, row in gone.items()}),
        ledger=parts.with_inputs(before.ledger, ledger, dropped),
        salt=before.salt or changes.salt,
        tombstones=sorted({*before.tombstones, *changes.tombstones}),
    )


def _made(state: State) -> tuple[Any, ...]:
    return dict(state.columns), {name: sorted(made) for name, made in state.layers.items()}, state.options


def _made_by(changes: Changes) -> tuple[Any, ...]:
    layers = {name: sorted(made) for name, made in changes.layers.items()}
    return dict(changes.columns), layers, dict(changes.options)


def _still_to_do(
    parts: Parts, found: State, put: list[Row], gone: dict[str, Row]
) -> tuple[list[Row], dict[str, Row]]:
    """What a newer state does not hold yet."""
    wanted = {row["key"]: row for row in put}
    keys = {*wanted, *gone}
    there = {row["key"]: row for part in found.index for row in parts.index(part) if row["key"] in keys}
    for key in keys:
        new, old, now = wanted.get(key), gone.get(key), there.get(key)
        if now is None and old is not None and new is not None:
            raise ConflictError(f"another build took the sample {key} out")
        if now is None:
            gone.pop(key, None)
        elif new is not None and _same_place(now, new):
            wanted.pop(key)
            gone.pop(key, None)
        elif old is None or not _same_place(now, old):
            raise ConflictError(f"another build changed the sample {key}")
    return list(wanted.values()), gone


def _same_place(one: Row, other: Row) -> bool:
    return all(one[name] == other[name] for name in ("shard", "offset", "sha256", "columns"))


def _still_to_say(
    parts: Parts, found: State, put: list[Row], seen: Mapping[str, str], dropped: set[str]
) -> tuple[list[Row], set[str]]:
    wanted = {row["input"]: row for row in put}
    names = {*wanted, *dropped}
    there = {
        row["input"]: row for part in found.ledger for row in parts.ledger(part) if row["input"] in names
    }
    for name in names:
        new, now = wanted.get(name), there.get(name)
        if now is None and name in seen and new is not None:
            raise ConflictError(f"another build took the input {name} out")
        if now is None:
            dropped.discard(name)
        elif new == now:
            wanted.pop(name)
        elif now["signature"] != seen.get(name):
            raise ConflictError(f"another build changed the input {name}")
    return list(wanted.values()), dropped
