"""Who reads a corpus through a view."""

from __future__ import annotations

import json

from pipelines.errors import UsageError
from pipelines.states.keep import keep, release
from pipelines.states.sweep import kept_states
from schemas.selection.view import VIEW_NAME, VIEWS, View, state_name_of
from schemas.state import State
from storage import files


def register(output: str, view: str) -> tuple[str, State]:
    """Keeps the present state for a view; the name that it has, and the state.

    Raises:
        UsageError: no corpus.
        StorageError.
    """
    name = state_name_of(view)
    state = keep(output, name)
    files.put(files.join(output, VIEWS, f"{name}.json"), json.dumps({"view": view}).encode(), output)
    return name, state


def views_of(output: str) -> dict[str, str]:
    """Name of the kept state -> view, of those that are still there."""
    found = {}
    for path in files.listing(files.join(output, VIEWS)):
        view = str(json.loads(files.read_bytes(path))["view"])
        if files.exists(files.join(view, VIEW_NAME)):
            found[path.rpartition("/")[2].removesuffix(".json")] = view
    return found


def check_no_views(output: str, force: bool) -> None:
    """Raises:
    UsageError: views read the corpus, and nobody said that this is meant.
    """
    if (views := views_of(output)) and not force:
        raise UsageError(
            f"{output} is read through {len(views)} views ({', '.join(sorted(views.values()))}), which would "
            "lose samples: give --force if that is meant"
        )


def release_views(output: str) -> None:
    """Lets go of the states that views are kept for; they open no more once those are swept."""
    kept = kept_states(output)
    for path in files.listing(files.join(output, VIEWS)):
        name = path.rpartition("/")[2].removesuffix(".json")
        if name in kept:
            release(output, name)
        files.delete(path)


def read_view(folder: str) -> View | None:
    """The view that a folder is; raises schemas.selection.view.ViewError."""
    path = files.join(folder, VIEW_NAME)
    return View.read(files.read_bytes(path), path) if files.exists(path) else None
