"""A state that is pinned by a name: later builds move what it alone needs out of the plain readers' way."""

from __future__ import annotations

import re

from pipelines.errors import StorageError, UsageError
from pipelines.states.commit import latest, read_named, tables_of
from pipelines.states.listed import listed
from pipelines.states.parts import MissingPartError
from pipelines.states.sweep import kept_states, shards_of
from schemas.state import KEPT, TABLES, State
from storage import files

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TRIES = 10


def keep(output: str, name: str) -> State:
    """Pins the present state; the same name twice for the same state is no mistake.

    Raises:
        UsageError: no name, no corpus, or another state has the name.
        StorageError.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a state: want letters, digits, . _ -")
    path = files.join(output, KEPT, f"{name}.json")
    for _ in range(_TRIES):
        state = latest(output)
        if state is None:
            raise UsageError(f"{output} holds no corpus: name the folder that build wrote")
        content = state.to_bytes()
        if not files.create_if_absent(path, content, output) and files.read_bytes(path) != content:
            there = read_named(output, f"{KEPT}/{name}.json")
            raise UsageError(
                f"{name} is the name of state {there.state} already: choose another, or release that first "
                f"(favor-data keep {output} {name} --release)"
            )
        if _whole(output, state):
            return state
        files.delete(path)  # a build that had not seen the name yet swept it meanwhile
    raise StorageError(f"{output}: builds commit faster than a state can be kept; try again")


def release(output: str, name: str) -> None:
    """Takes the name away; the next build or prune deletes what only that state needed.

    Raises:
        UsageError: no such name.
    """
    path = files.join(output, KEPT, f"{name}.json")
    if not _NAME.fullmatch(name) or not files.exists(path):
        held = ", ".join(sorted(kept_states(output))) or "none"
        raise UsageError(f"no state {name!r} is kept in {output}; it has {held}")
    files.delete(path)


def _whole(output: str, state: State) -> bool:
    """Whether every file that the state names is there, in its place or among the kept ones."""
    try:
        names = tables_of(state) | shards_of(output, state)
    except MissingPartError:
        return False
    there = listed(output, "shards", "columns", TABLES, KEPT).keys()
    return all({name, f"{KEPT}/{name}"} & there for name in names)
