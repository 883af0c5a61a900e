"""Imports point one way: between the rooms, between the floors inside a room, and never in a circle."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "schemas": set(),
    "decoders": {"schemas"},
    "featurizers": {"schemas"},
    "loaders": {"schemas", "storage"},
    "recipes": {"schemas"},
    "scores": {"schemas"},
    "signals": {"schemas"},
    "report": {"schemas", "signals"},
    "storage": set(),
    "pipelines": {"schemas", "storage", "decoders", "featurizers", "recipes", "report", "scores", "signals"},
    "favor_data": {"schemas", "storage", "decoders", "featurizers", "loaders", "pipelines"},  # the front door
}
ROOMS = set(MAY_IMPORT)
HOUSE = [*sorted(ROOMS), "benchmarks", "demo", "deploy", "examples", "runners"]
FORBIDDEN = {
    "schemas": {"torch", "torchaudio", "apache_beam", "av", "transformers", "whisper"},
    "decoders": {"apache_beam", "transformers", "whisper"},
    "loaders": {"apache_beam", "av", "decord", "whisper", "transformers"},
    "featurizers": {"av", "decord"},
    "recipes": {"torch", "torchaudio", "apache_beam", "av", "transformers", "whisper"},
    "scores": {"torch", "torchaudio", "apache_beam", "av", "transformers", "whisper"},
    "signals": {"apache_beam", "av", "decord", "transformers", "whisper"},
    "storage": {"torch", "torchaudio", "apache_beam", "av", "transformers", "whisper"},
}
BEAM_IN_FEATURIZERS = {"model_handler.py"}
# Inside a room, from the bottom up: a module belongs to the first floor whose prefix it has.
FLOORS = {
    "decoders": ["cores limits", "timeline", "streams", "probe", "clips", "processes"],
    "featurizers": ["errors", "featurizer", "running", "audio vision whisper", "kinds", "registry"],
    "loaders": [
        "cache memory times",
        "storage",
        "extent opening places",
        "corpus",
        "schedule",
        "sample",
        "dataset position",
        "workers",
        "loader streaming synchronise",
        "libraries",
    ],
    "storage": ["entry errors uris", "web", "clients", "disk objects", "files"],
    "pipelines": [
        "errors",
        "storage",
        "metrics records placement",
        "states",
        "products settings",
        "tasks",
        "facts keep members",
        "build",
        "changes settle",
        "steps",
        "build_corpus",
        "jobs transforms",
        "commands",
        "__main__",
    ],
    "report": ["charts log_mel remedies thumbnail", "facts sheet", "page"],
    "signals": ["signal", "sound picture together", "registry"],
    "scores": ["answers", "measure", "evalai", "words captions questions", "score"],
    "recipes": [
        "errors",
        "disk names prompts",
        "annotations media",
        "recipe",
        "manifest",
        "speech captions qa mixed",
        "registry",
        "aveb",
    ],
}
MOST_FILES = 15


def modules() -> dict[str, Path]:
    """Every module of the house by its dotted name; a door (`__init__.py`) by its folder's."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for room in HOUSE
        for path in sorted((ROOT / room).rglob("*.py"))
    }


def imports(path: Path) -> Iterator[str]:
    """Every dotted name that a file imports, inside functions and for type checking too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def arrows(known: dict[str, Path]) -> dict[str, set[str]]:
    """Module -> the modules of the house that it imports."""
    return {
        name: {
            target
            for imported in imports(path)
            if (target := imported if imported in known else imported.rpartition(".")[0]) in known
        }
        - {name}
        for name, path in known.items()
    }


def circle(graph: dict[str, set[str]]) -> list[str]:
    """A circle, or nothing."""
    done: set[str] = set()

    def visit(name: str, trail: list[str]) -> list[str]:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name in done:
            return []
        for target in sorted(graph[name]):
            if found := visit(target, [*trail, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := visit(name, []))), [])


def floor(room: str, module: str) -> int:
    """How high a module of a room lies; the room's own door lies under everything."""
    parts = module.split(".")
    if len(parts) == 1:
        return -1
    [height] = [height for height, names in enumerate(FLOORS[room]) if parts[1] in names.split()]
    return height


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    for path in files:
        names = {name.partition(".")[0] for name in imports(path)}
        assert names & ROOMS <= MAY_IMPORT[room] | {room}, path
        assert not names & FORBIDDEN.get(room, set()), path
        if room == "featurizers" and path.name not in BEAM_IN_FEATURIZERS:
            assert "apache_beam" not in names, path


def test_no_import_goes_in_a_circle() -> None:
    assert not circle(arrows(modules()))


def test_nobody_inside_comes_through_the_front_door() -> None:
    outside = ("favor_data", "examples", "demo")
    inside = [name for name in modules() if not name.startswith(outside)]
    known = arrows(modules())
    users = [name for name in inside if any(target.startswith("favor_data") for target in known[name])]
    assert not users


@pytest.mark.parametrize("room", sorted(FLOORS))
def test_no_arrow_runs_up_inside_a_room(room: str) -> None:
    up = [
        (name, target)
        for name, targets in arrows(modules()).items()
        for target in targets
        if name.startswith(f"{room}.") and target.startswith(f"{room}.")
        if floor(room, target) > floor(room, name)
    ]
    assert not up


def test_families_of_encoders_do_not_know_one_another() -> None:
    for name, targets in arrows(modules()).items():
        family = name.split(".")[1:2]
        if name.startswith("featurizers.") and family[0] in ("vision", "whisper", "audio"):
            others = {target for target in targets if target.split(".")[1:2] != family}
            assert not [t for t in others if t.split(".")[1:2][0] in ("vision", "whisper", "audio")], name


def test_no_folder_is_a_corridor() -> None:
    folders = {path.parent for path in modules().values()} | {
        path.parent for path in (ROOT / "tests").rglob("*.py")
    }
    crowded = {folder: n for folder in folders if (n := len(list(folder.glob("*.py")))) > MOST_FILES}
    assert not crowded


def test_the_checks_see_imports_inside_functions_and_circles(tmp_path: Path) -> None:
    path = tmp_path / "late.py"
    path.write_text("def f():\n    from apache_beam.io import filesystems\n    import torch.nn as nn\n")
    assert set(imports(path)) == {"apache_beam.io.filesystems", "torch.nn"}
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c", "a"]
    assert not circle({"a": {"b", "c"}, "b": {"c"}, "c": set()})
