"""A worker's part: draws that depend on the step alone, bad samples, batches that need few open files."""

import json
import pickle
import random
import resource
import shutil
import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from loaders.corpus import open_corpus
from loaders.extent import ExtentError
from loaders.loader import CorpusLoader
from loaders.sample import TrainingSample
from loaders.workers.parcel import Parcel
from loaders.workers.randomness import seeded

ROOT = Path(__file__).parents[3]


def draws(samples):
    """A collate function with random numbers in it."""
    return [random.random(), float(np.random.random()), float(torch.rand(())), [s.key for s in samples]]


def loader(root, **options):
    return CorpusLoader(open_corpus(root), **{"batch_size": 2, "seed": 3, "collate": draws, **options})


def numbers(batches):
    return [sample.metadata["number"] for batch in batches for sample in batch]


def test_every_rank_and_step_draws_its_own_numbers_whatever_the_seeds_of_the_process(uneven):
    found = []
    for rank in (0, 1):
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)
        found += list(loader(uneven, rank=rank, world_size=2))
    for of in range(3):
        assert len({batch[of] for batch in found}) == len(found) == 12


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_epoch_draws_the_same_numbers(uneven, workers):
    whole = [list(loader(uneven)), list(loader(uneven))]
    assert whole[0] == whole[1]
    begun = loader(uneven, num_workers=workers)
    first = list(islice(begun, 5))
    resumed = loader(uneven, num_workers=2 - workers)
    resumed.load_state_dict(begun.state_dict())
    assert first + list(resumed) == whole[0]
    assert [batch[:3] for batch in resumed] != [batch[:3] for batch in whole[0]]  # another epoch


def test_training_keeps_its_own_random_numbers(uneven):
    def drawn(batches):
        torch.manual_seed(7)
        random.seed(7)
        np.random.seed(7)
        for _ in batches:
            pass
        return random.random(), float(np.random.random()), float(torch.rand(()))

    assert drawn([]) == drawn(loader(uneven)) == drawn(loader(uneven, num_workers=1))


def test_draws_are_given_back_after_an_error():
    torch.manual_seed(1)
    expected = torch.rand(3)[1:].tolist()
    torch.manual_seed(1)
    torch.rand(1)
    with pytest.raises(RuntimeError), seeded((1, 2)):
        torch.rand(9).view(2)
    assert torch.rand(2).tolist() == expected


@pytest.fixture
def damaged(uneven, tmp_path):
    """A corpus with one flipped bit in the features of sample 4, and with shard 1 of 2 missing."""
    root = tmp_path / "corpus"
    shutil.copytree(uneven, root)
    corpus = open_corpus(root)
    shard, offset, size = corpus.place(4)
    content = bytearray((root / shard).read_bytes())
    content[offset + size - 600] ^= 1
    (root / shard).write_bytes(content)
    return root


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_flipped_bit_is_found_and_raised_in_one_line(damaged, workers, streaming):
    options = {"num_workers": workers, "streaming": streaming, "verify": True, "collate": list}
    with pytest.raises(ExtentError, match=r"sample clip-0004\S+ at byte \d+ of \S+: not the bytes") as found:
        list(loader(damaged, **options))
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_sample_is_skipped_and_counted_in_equal_steps(damaged, workers, streaming, caplog):
    (damaged / "shards/000002.tar").unlink()  # samples 10 and 11
    options = {"num_workers": workers, "streaming": streaming, "verify": True, "collate": list}
    ranks = [
        loader(damaged, rank=rank, world_size=2, bad_samples="skip", batch_size=1, **options)
        for rank in (0, 1)
    ]
    batches = [list(rank) for rank in ranks]
    assert [len(rank) for rank in batches] == [12, 12]
    real = [s.metadata["number"] for rank in batches for batch in rank for s in batch if not s.fill]
    assert Counter(real) == Counter(set(range(23)) - {4, 10, 11})
    assert sum(rank.skipped for rank in ranks) == 3
    assert len([record for record in caplog.records if "skipped: " in record.message]) == 3


def test_a_corpus_without_a_good_sample_is_an_error(damaged):
    shutil.rmtree(damaged / "shards")
    with pytest.raises(ExtentError, match="no sample of the corpus can be read"):
        list(loader(damaged, bad_samples="skip"))
    with pytest.raises(FileNotFoundError):
        list(loader(damaged))


def test_an_error_of_the_collate_function_keeps_its_traceback(uneven):
    def collate(samples):
        return samples[99]

    with pytest.raises(IndexError, match=r"samples\[99\]"):
        list(loader(uneven, collate=collate, num_workers=1))


def test_a_parcel_brings_everything_back_in_one_piece():
    shared = torch.arange(6).view(2, 3)
    value = {
        "a": shared,
        "again": shared,
        "turned": torch.arange(6.0).view(2, 3).t(),
        "none": torch.empty(0, 4),
        "scalar": torch.tensor(7, dtype=torch.bfloat16),
        "grad": torch.ones(2, requires_grad=True),
        "other": (1, "two", b"3", np.arange(3)),
    }
    found = Parcel.of(value).open()
    assert found["again"] is not None
    for name in ("a", "again", "turned", "none", "scalar"):
        assert found[name].dtype == value[name].dtype
        assert torch.equal(found[name], value[name])
    assert found["grad"].requires_grad
    assert found["other"][:3] == value["other"][:3]
    assert found["a"].untyped_storage().data_ptr() == found["turned"].untyped_storage().data_ptr()


def test_many_samples_and_workers_fit_into_few_open_files(uneven):
    """Eight workers, batches of 64 as they come from `list`, and all of them kept: with 256 open files."""
    script = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
from loaders.corpus import open_corpus
from loaders.loader import CorpusLoader
from loaders.schedule.mixture import Mixture
corpus = open_corpus({str(uneven)!r})
many = Mixture({{"": corpus}}, samples=64 * 40)
kept = [batch for batch in CorpusLoader(many, 64, num_workers=8)]
assert sum(map(len, kept)) == 2560 and kept[0][0].features["clip"].sum() >= 0
"""
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 256
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_workers_started_afresh_read_the_same(uneven, method):
    ours, theirs = (
        loader(uneven, collate=keys),
        loader(uneven, collate=keys, num_workers=1, start_method=method),
    )
    assert list(ours) == list(theirs)
    assert list(ours) == list(theirs)  # by the same workers


def keys(samples: list[TrainingSample]) -> list[str]:
    return [sample.key for sample in samples]


def test_workers_are_kept_from_epoch_to_epoch(uneven):
    one = loader(uneven, collate=process_of, num_workers=2)
    epochs = [{process for batch in one for process in batch} for _ in range(3)]
    assert len(epochs[0]) == 2
    assert epochs[0] == epochs[1] == epochs[2]


def process_of(samples):
    import os

    return [os.getpid()]


def test_what_a_worker_is_given_is_small_and_maps_the_rest(uneven):
    corpus = open_corpus(uneven)
    content = pickle.dumps(corpus)
    assert len(content) < 2000
    other = pickle.loads(content)
    assert [other.place(row) for row in range(23)] == [corpus.place(row) for row in range(23)]
    assert [other.key(row) for row in range(23)] == [corpus.key(row) for row in range(23)]
    folder = Path(corpus._mapped).parent
    assert folder.is_dir()
    del corpus
    assert not folder.exists()
    assert other.sha256(22)


def test_states_survive_json(uneven):
    one = loader(uneven)
    next(iter(one))
    assert json.loads(json.dumps(one.state_dict())) == one.state_dict()
