"""The local cache of remote shards: one fetch for all processes, a limit, and no damage that stays."""

import multiprocessing
import os
import signal
import time
from collections import Counter
from pathlib import Path

import fsspec
import pytest

from loaders.cache import LocalCache
from loaders.corpus import open_corpus
from loaders.dataset import CorpusDataset
from loaders.loader import CorpusLoader
from storage import files

BLOCK = 4096


@pytest.fixture
def remote(uneven):
    memory = fsspec.filesystem("memory")
    memory.put(str(uneven), "/cached", recursive=True)
    yield "memory://cached"
    memory.rm("/cached", recursive=True)


@pytest.fixture
def requests(monkeypatch):
    """(uri, offset, size) of every range that is read of a store."""
    made, original = [], files.read_range

    def read_range(uri, offset, size):
        made.append((uri, offset, size))
        return original(uri, offset, size)

    monkeypatch.setattr(files, "read_range", read_range)
    return made


def blocks(folder):
    return [path for path in Path(folder).glob("??/*") if path.parent.name != "locks"]


def numbers(corpus, **options):
    return sorted(s.metadata["number"] for b in CorpusLoader(corpus, 2, **options) for s in b if not s.fill)


@pytest.mark.parametrize("streaming", [False, True])
def test_every_block_is_fetched_once_for_all_ranks_and_epochs(remote, requests, tmp_path, streaming):
    cache = LocalCache(tmp_path / "cache", 1 << 30, BLOCK)
    corpora = [open_corpus(remote, cache=cache) for _ in range(2)]
    for _ in range(2):
        seen = [
            numbers(corpus, rank=rank, world_size=2, streaming=streaming)
            for rank, corpus in enumerate(corpora)
        ]
        assert Counter(seen[0] + seen[1]) == Counter(range(23))
    assert set(Counter(requests).values()) == {1}
    assert all(offset % BLOCK == 0 and size <= BLOCK for _, offset, size in requests)


def test_nothing_is_cached_of_a_local_corpus(uneven, tmp_path):
    numbers(open_corpus(uneven, cache=LocalCache(tmp_path / "cache", 1 << 30)))
    assert not (tmp_path / "cache").exists()


def test_the_limit_is_kept_and_what_was_read_last_stays(tmp_path):
    cache = LocalCache(tmp_path, 10 * BLOCK, BLOCK)
    content = bytes(range(256)) * 16 * 100

    def fetch(offset, size):
        return content[offset : offset + size]

    for turn in range(100):
        for number in (0, turn):  # the first again and again
            target = bytearray(BLOCK)
            assert cache.read_into("shard", number * BLOCK, memoryview(target), fetch) == BLOCK
            time.sleep(0.0005)
        cache.make_room()
        assert sum(path.stat().st_size for path in blocks(tmp_path)) <= 10 * BLOCK
    kept = []
    assert (
        cache.read_into("shard", 0, memoryview(bytearray(BLOCK)), lambda *range_: kept.append(range_))
        == BLOCK
    )
    assert not kept
    with pytest.raises(ValueError, match="cannot hold a block"):
        LocalCache(tmp_path, BLOCK - 1, BLOCK)


def test_ranges_over_blocks_and_over_the_end(tmp_path):
    content = os.urandom(3 * BLOCK + 100)
    cache = LocalCache(tmp_path, 1 << 20, BLOCK)
    for offset, size in ((0, 10), (BLOCK - 5, 10), (100, 3 * BLOCK), (3 * BLOCK, 500), (9 * BLOCK, 4)):
        target = bytearray(size)
        done = cache.read_into(
            "s", offset, memoryview(target), lambda start, count: content[start : start + count]
        )
        assert target[:done] == content[offset : offset + size]
        assert done == len(content[offset : offset + size])


def test_a_damaged_block_is_fetched_again(remote, tmp_path):
    cache = LocalCache(tmp_path, 1 << 30, BLOCK)
    corpus = open_corpus(remote, cache=cache)
    assert numbers(corpus) == list(range(23))
    for path in blocks(tmp_path):
        path.write_bytes(bytes(path.stat().st_size))
    dataset = CorpusDataset(corpus, verify=True)
    assert [dataset[row].metadata["number"] for row in range(23)] == list(range(23))


def test_another_content_of_a_shard_is_not_taken_from_the_cache(remote, uneven, tmp_path):
    memory, cache = fsspec.filesystem("memory"), LocalCache(tmp_path, 1 << 30, BLOCK)
    numbers(open_corpus(remote, cache=cache))
    shard = "/cached/shards/000001.tar"
    content = bytearray(memory.cat(shard))
    content[-BLOCK // 2] ^= 1
    memory.pipe(shard, bytes(content))
    corpus = open_corpus(remote, cache=cache)
    place = corpus.place(9)
    assert corpus.read(place).tobytes() == content[place.offset : place.offset + place.size]


def _fetch_slowly(folder, log):
    def fetch(offset, size):
        with Path(log).open("a") as file:
            file.write(f"{offset}\n")
        time.sleep(0.02)
        return bytes(size)

    cache = LocalCache(folder, 1 << 20, BLOCK)
    for number in range(10):
        cache.read_into("s", number * BLOCK, memoryview(bytearray(BLOCK)), fetch)


def test_processes_that_want_the_same_fetch_it_once(tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [
        context.Process(target=_fetch_slowly, args=(tmp_path / "c", tmp_path / "log")) for _ in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sorted((tmp_path / "log").read_text().split()) == sorted(str(n * BLOCK) for n in range(10))


def _hold(folder):
    LocalCache(folder, 1 << 20, BLOCK).read_into("s", 0, memoryview(bytearray(1)), lambda *_: time.sleep(60))


def test_a_killed_process_leaves_nothing_locked(tmp_path):
    process = multiprocessing.get_context("fork").Process(target=_hold, args=(tmp_path,))
    process.start()
    while not (tmp_path / "locks").is_dir():
        time.sleep(0.01)
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    cache, target = LocalCache(tmp_path, 1 << 20, BLOCK), bytearray(1)
    assert cache.read_into("s", 0, memoryview(target), lambda offset, size: b"x" * size) == 1
