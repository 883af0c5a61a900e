from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # `benchmarks` is not installed; its media are ours too

from benchmarks.alignment import decode_whole
from benchmarks.flashes import Shown, full_decode
from benchmarks.matrix import CASES, Case, make
from schemas.media import DecodedClip


class Matrix:
    """Makes and decodes each of the matrix's files once a session."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._paths: dict[str, Path] = {}
        self._clips: dict[str, DecodedClip] = {}
        self._shown: dict[str, Shown] = {}

    def case(self, name: str) -> Case:
        return next(case for case in CASES if case.name == name)

    def path(self, name: str) -> Path:
        if name not in self._paths:
            self._paths[name] = make(self.case(name), self.folder)
        return self._paths[name]

    def clip(self, name: str) -> DecodedClip:
        if name not in self._clips:
            self._clips[name] = decode_whole(self.path(name))
        return self._clips[name]

    def shown(self, name: str) -> Shown:
        if name not in self._shown:
            self._shown = {name: full_decode(self.path(name), *self.case(name).size)}  # 7 MB: the last only
        return self._shown[name]


@pytest.fixture(scope="session")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    return Matrix(tmp_path_factory.mktemp("matrix"))
