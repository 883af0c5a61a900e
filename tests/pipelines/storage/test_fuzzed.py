"""Inputs that mattered to the fuzzers of SOURCEs (benchmarks/fuzz), each once."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fuzz.intake import INTAKE

KEPT = sorted(path for path in (Path(__file__).parent / "fuzz").rglob("*") if path.is_file())


@pytest.mark.parametrize("path", KEPT, ids=[f"{path.parent.name}-{path.name}" for path in KEPT])
def test_an_input_that_mattered(path: Path) -> None:
    INTAKE[path.parent.name](path.read_bytes())
