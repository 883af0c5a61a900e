"""Imports point one way: pipelines -> decoders, featurizers -> schemas; loaders -> schemas."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {"decoders", "featurizers", "loaders", "pipelines", "schemas"}
MAY_IMPORT = {
    "schemas": set(),
    "decoders": {"schemas"},
    "featurizers": {"schemas"},
    "loaders": {"schemas"},
    "pipelines": {"schemas", "decoders", "featurizers"},
}
FORBIDDEN = {
    "schemas": {"torch", "torchaudio", "apache_beam", "av", "transformers", "whisper"},
    "decoders": {"apache_beam", "transformers", "whisper"},
    "loaders": {"apache_beam", "av", "decord", "whisper", "transformers"},
    "featurizers": {"av", "decord"},
}
BEAM_IN_FEATURIZERS = {"model_handler.py"}


def imports(path: Path) -> set[str]:
    """Top-level names of every import, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    for path in files:
        names = imports(path)
        assert names & ROOMS <= MAY_IMPORT[room] | {room}, path
        assert not names & FORBIDDEN.get(room, set()), path
        if room == "featurizers" and path.name not in BEAM_IN_FEATURIZERS:
            assert "apache_beam" not in names, path


def test_the_check_sees_imports_inside_functions(tmp_path: Path) -> None:
    path = tmp_path / "late.py"
    path.write_text("def f():\n    from apache_beam.io import filesystems\n    import torch.nn as nn\n")
    assert imports(path) == {"apache_beam", "torch"}
