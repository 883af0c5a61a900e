"""Ranges of local files: the very bytes, and few system calls for annotations."""

from __future__ import annotations

import os
import pickle
import random
from pathlib import Path

import pytest

from loaders import storage
from loaders.storage import Storage

SIZE = 100_003
SHARD = "columns/annotations/000000.tar"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / SHARD).parent.mkdir(parents=True)
    (tmp_path / SHARD).write_bytes(random.Random(0).randbytes(SIZE))
    return tmp_path


def test_any_range_is_that_of_the_file(corpus: Path) -> None:
    content, ours, chance = (corpus / SHARD).read_bytes(), Storage(corpus), random.Random(1)
    for _ in range(3000):
        start = chance.randrange(SIZE)
        size = min(chance.choice([0, 1, 512, 1024, 4096, 4097, 20_000]), SIZE - start)
        assert ours.read_range(SHARD, start, size).tobytes() == content[start : start + size]


@pytest.mark.parametrize("size", [1, 4096, 4097])
def test_an_end_that_comes_too_soon_and_a_file_that_is_not_there(corpus: Path, size: int) -> None:
    ours = Storage(corpus)
    with pytest.raises(EOFError, match=rf"000000.tar ends before byte {SIZE + 1}"):
        ours.read_range(SHARD, SIZE + 1 - size, size)
    with pytest.raises(FileNotFoundError):
        ours.read_range("columns/annotations/000001.tar", 0, size)


def test_neighbours_annotations_ask_the_system_for_nothing(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Storage(corpus)
    ours.read_range(SHARD, 0, 1024)
    with monkeypatch.context() as without:
        without.setattr(storage.Path, "open", None)
        without.setattr(os, "pread", None)
        without.setattr(os, "preadv", None)
        kept = [ours.read_range(SHARD, start, 1024) for start in range(0, 16 << 10, 1024)]
    assert b"".join(piece.tobytes() for piece in kept) == (corpus / SHARD).read_bytes()[: 16 << 10]
    assert len(pickle.dumps(ours)) < 500, "what was kept went along to a worker"


def test_what_is_kept_has_a_limit(tmp_path: Path) -> None:
    (tmp_path / SHARD).parent.mkdir(parents=True)
    with (tmp_path / SHARD).open("wb") as file:
        file.truncate(64 << 20)
    ours = Storage(tmp_path)
    for start in range(0, 64 << 20, 16 << 10):
        ours.read_range(SHARD, start, 512)
    assert sum(map(len, ours._blocks.values())) <= 40 << 20


def test_a_forks_child_opens_files_of_its_own(corpus: Path) -> None:
    """A descriptor shared with the parent would be closed by the one under the other."""
    ours = Storage(corpus)
    ours.read_range(SHARD, 0, 8192)
    mine = ours._files[SHARD]
    child = os.fork()
    if not child:
        ours.read_range(SHARD, 8192, 8192)
        os._exit(0 if ours._files[SHARD] is not mine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    ours.read_range(SHARD, 0, 8192)
    assert ours._files[SHARD] is mine
