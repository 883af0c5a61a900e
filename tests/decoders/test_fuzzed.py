"""Inputs that mattered to the fuzzers (benchmarks/fuzz), each once: nothing is raised that may not be."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fuzz.targets import TARGETS

KEPT = sorted(path for path in (Path(__file__).parent / "fuzz").rglob("*") if path.is_file())


@pytest.mark.parametrize("path", KEPT, ids=[f"{path.parent.name}-{path.name}" for path in KEPT])
def test_an_input_that_mattered(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())
