"""CorpusLoader through real DataLoader workers and real gloo processes."""

import copy
import hashlib
import json
from collections import Counter
from itertools import chain, islice

import fsspec
import pytest
import torch
import webdataset as wds
from torch.nn.parallel import DistributedDataParallel

from loaders.corpus import open_corpus
from loaders.loader import CheckpointError, CorpusLoader
from loaders.schedule.agreement import RanksDifferError
from loaders.schedule.phase import Phase
from loaders.streaming import StreamingCorpus
from tests.loaders.ranks import on_ranks

ALL = Counter(range(23))


def numbers(batches):
    return [sample.metadata["number"] for batch in batches for sample in batch if not sample.fill]


def loader(root, **options):
    return CorpusLoader(open_corpus(root), **{"batch_size": 2, "seed": 3, **options})


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_every_sample_once_an_epoch_in_equal_steps(uneven, world, workers, streaming):
    ranks = [
        loader(uneven, rank=rank, world_size=world, num_workers=workers, streaming=streaming)
        for rank in range(world)
    ]
    epochs = []
    for _ in range(2):
        steps = [len(rank) for rank in ranks]
        batches = [list(rank) for rank in ranks]
        assert [len(rank) for rank in batches] == steps
        assert len(set(steps)) == 1
        epochs.append([numbers(rank) for rank in batches])
        assert Counter(number for rank in epochs[-1] for number in rank) == ALL
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"world": 2, "workers": 0}, {"world": 2, "workers": 2}),
        ({"world": 2, "workers": 2}, {"world": 3, "workers": 0}),
        ({"world": 3, "workers": 0}, {"world": 1, "workers": 2, "batch_size": 5}),
    ],
)
@pytest.mark.parametrize("stop", [0, 1, 3])
def test_stopped_and_resumed_elsewhere_the_union_is_exact(uneven, before, after, stop, streaming):
    def ranks(world, workers, **options):
        return [
            loader(uneven, rank=rank, world_size=world, num_workers=workers, streaming=streaming, **options)
            for rank in range(world)
        ]

    seen, states = [], []
    for rank in ranks(**before):
        iterator = iter(rank)
        seen += numbers([next(iterator) for _ in range(stop)])
        states.append(json.loads(json.dumps(rank.state_dict())))
        iterator.close()
    assert all(state == states[0] for state in states)
    steps = set()
    for rank in ranks(**after):
        rank.load_state_dict(states[0])
        steps.add(len(rank))
        batches = list(rank)
        assert len(batches) == max(steps) - stop  # those already taken are counted
        seen += numbers(batches)
    assert len(steps) == 1
    assert Counter(seen) == ALL


@pytest.mark.parametrize("streaming", [False, True])
def test_resuming_alike_goes_on_in_the_same_order(uneven, streaming):
    options = {"streaming": streaming, "num_workers": 2 if streaming else 0}
    whole = numbers(loader(uneven, **options))
    for stop in (1, 2, 5, 12):
        first = loader(uneven, **options)
        iterator = iter(first)
        begun = numbers([next(iterator) for _ in range(stop)])
        second = loader(uneven, **options)
        second.load_state_dict(first.state_dict())
        iterator.close()
        assert begun + (numbers(second) if stop < 12 else []) == whole


def test_stopped_twice_with_a_new_world_each_time(uneven):
    seen, state = [], None
    for world, steps in ((2, 2), (3, 1), (1, None)):
        ranks = [loader(uneven, rank=rank, world_size=world) for rank in range(world)]
        for rank in ranks:
            if state:
                rank.load_state_dict(state)
            iterator = iter(rank)
            seen += numbers(iterator if steps is None else [next(iterator) for _ in range(steps)])
        state = copy.deepcopy(ranks[0].state_dict())
    assert Counter(seen) == ALL
    assert state["epoch"] == 1


def test_breaking_off_gives_way_to_the_next_epoch(uneven):
    epochs = [numbers(batches) for batches in repeat_of(loader(uneven), 3)]
    one = loader(uneven)
    assert numbers(islice(one, 4)) == epochs[0][:8]
    assert one.epoch == 0
    assert numbers(islice(one, 4)) == epochs[1][:8]
    assert numbers(one) == epochs[2]
    assert one.epoch == 3


def test_an_iteration_that_took_no_step_never_was(uneven):
    one, other = loader(uneven), loader(uneven)
    iter(one)
    assert numbers(one) == numbers(other)


def test_the_last_step_ends_the_epoch_whether_or_not_it_is_asked_once_more(uneven):
    epochs = [numbers(batches) for batches in repeat_of(loader(uneven), 3)]
    counted, found = loader(uneven), []
    for _ in range(3):
        found.append(numbers(islice(counted, len(counted))))
    assert found == epochs
    assert epochs[0] != epochs[1] != epochs[2]
    assert counted.epoch == 3


def test_a_state_of_an_epochs_end_goes_on_with_the_next(uneven):
    epochs = [numbers(batches) for batches in repeat_of(loader(uneven), 2)]
    one, other = loader(uneven), loader(uneven)
    numbers(islice(one, len(one)))
    other.load_state_dict(one.state_dict())
    assert (other.epoch, len(other)) == (1, 12)
    assert numbers(other) == epochs[1]


def test_set_epoch_goes_to_its_beginning_but_keeps_a_state_of_it(uneven):
    epochs = [numbers(batches) for batches in repeat_of(loader(uneven), 3)]
    one = loader(uneven)
    one.set_epoch(2)
    assert numbers(islice(one, 3)) == epochs[2][:6]
    resumed = loader(uneven)
    resumed.load_state_dict(one.state_dict())
    resumed.set_epoch(2)
    assert numbers(resumed) == epochs[2][6:]
    one.set_epoch(2)
    assert numbers(one) == epochs[2]
    one.load_state_dict(loader(uneven).state_dict())
    one.set_epoch(1)
    assert numbers(one) == epochs[1]


def test_an_iteration_that_another_has_followed_stops(uneven):
    one = loader(uneven, num_workers=2)
    first = iter(one)
    next(first)
    second = iter(one)
    next(second)
    with pytest.raises(RuntimeError, match="one at a time"):
        next(first)
    assert len(list(second)) == 11


def repeat_of(batches, times):
    return [list(batches) for _ in range(times)]


def test_conversations_are_drawn_or_expanded(uneven):
    drawn = [sample for batch in loader(uneven) for sample in batch]
    for sample in drawn:
        assert (sample.conversation is None) == (not sample.conversations)
        assert sample.conversation is None or sample.conversation in sample.conversations
    for streaming in (False, True):
        expanded = [
            sample
            for batch in loader(uneven, conversations="expand", streaming=streaming)
            for sample in batch
        ]
        answers = Counter(s.conversation[1]["value"] if s.conversation else s.key for s in expanded)
        assert set(answers.values()) == {1}
        assert len(answers) == sum(max(1, n % 4) for n in range(23))


def test_a_stream_from_an_object_store_is_the_same(uneven):
    memory = fsspec.filesystem("memory")
    memory.put(str(uneven), "/streamed", recursive=True)
    try:
        options = {"conversations": "expand", "streaming": True, "window_bytes": 30_000}
        near, far = (list(loader(root, **options)) for root in (uneven, "memory://streamed"))
    finally:
        memory.rm("/streamed", recursive=True)
    assert numbers(near) == numbers(far)
    for ours, theirs in zip(chain(*near), chain(*far), strict=True):
        assert ours.conversation == theirs.conversation
        assert torch.equal(ours.features["clip"], theirs.features["clip"])


def test_a_state_of_other_samples_is_refused(uneven):
    state = loader(uneven).state_dict()
    with pytest.raises(CheckpointError, match="seed 3, this loader has 4"):
        loader(uneven, seed=4).load_state_dict(state)
    fewer = CorpusLoader(open_corpus(uneven, snapshot="1"), 2, seed=3)
    with pytest.raises(CheckpointError, match="samples"):
        fewer.load_state_dict(state)
    with pytest.raises(CheckpointError, match="version 0"):
        fewer.load_state_dict({**state, "version": 0})


def test_arguments_out_of_range(uneven):
    with pytest.raises(ValueError, match="rank 2 of 2"):
        loader(uneven, rank=2, world_size=2)
    with pytest.raises(ValueError, match="leave out either streaming or bucket_steps"):
        loader(uneven, streaming=True, bucket_steps=[2])


def test_a_stream_is_a_webdataset_pipeline(uneven):
    stream = StreamingCorpus(open_corpus(uneven), Phase(1, 2, workers=2, window_bytes=5000))
    pipeline = stream.select(lambda sample: sample.steps == 2).map(lambda sample: sample.metadata["number"])
    found = list(wds.WebLoader(pipeline, batch_size=None, num_workers=2))
    assert sorted(found) == [number for number in range(23) if number % 3 == 1]


def test_a_stream_refuses_workers_it_was_not_planned_for(uneven):
    with pytest.raises(ValueError, match="planned for 2 workers"):
        next(iter(StreamingCorpus(open_corpus(uneven), Phase(1, 2, workers=2))))


def test_plain_webdataset_reads_the_shards(uneven):
    shards = sorted(str(path) for path in (uneven / "shards").glob("*.tar"))
    samples = list(wds.WebDataset(shards, shardshuffle=False).decode())
    assert [sample["json"]["metadata"]["number"] for sample in samples] == list(range(23))
    assert all((sample["clip.npy"] == sample["json"]["metadata"]["number"]).all() for sample in samples)


def train_one_epoch(rank, root, streaming):
    model = DistributedDataParallel(torch.nn.Linear(6, 1))
    batches = CorpusLoader(open_corpus(root), batch_size=2, streaming=streaming)
    seen = []
    for batch in batches:
        features = torch.stack([sample.features["clip"].float().mean((0, 1)) for sample in batch])
        model(features).sum().backward()  # waits for the other rank: uneven steps would hang here
        seen += numbers([batch])
    return seen


@pytest.mark.parametrize("streaming", [False, True])
def test_two_gloo_processes_train_an_epoch_over_uneven_shards(uneven, streaming):
    seen = on_ranks(train_one_epoch, uneven, streaming)
    assert all(seen)
    assert Counter(seen[0] + seen[1]) == ALL


def begins(rank, root, mistake):
    """What a rank says that differs from the other in one way."""
    different = rank == 1
    corpus = open_corpus(root, snapshot="1" if different and mistake == "samples" else None)
    options = {"seed": rank if mistake == "seed" else 0}
    one = CorpusLoader(corpus, 4 if different and mistake == "batch_size" else 2, **options)
    if different and mistake == "position":
        one.set_epoch(3)
    try:
        return len(list(one))
    except RanksDifferError as error:
        return str(error)


@pytest.mark.parametrize("mistake", ["samples", "seed", "batch_size", "position"])
def test_ranks_that_differ_are_told_so_before_the_first_step(uneven, mistake):
    first, second = on_ranks(begins, uneven, mistake)
    assert first == second
    assert first.startswith(f"rank 0 has {mistake} ")
    assert ", rank 1 has " in first
    assert "\n" not in first


def test_ranks_that_agree_begin(uneven):
    assert on_ranks(begins, uneven, None) == [6, 6]


def made_before(rank, one):
    return numbers(one)


def test_a_loader_that_is_older_than_the_process_group_knows_its_rank_all_the_same(uneven):
    seen = on_ranks(made_before, loader(uneven))
    assert Counter(seen[0] + seen[1]) == ALL


OF_0_1 = {  # streaming -> the first two epochs, as version 0.1 read these 23 samples with seed 3
    False: (
        [11, 8, 12, 22, 2, 14, 3, 6, 17, 20, 7, 16, 19, 4, 21, 15, 10, 13, 9, 1, 18, 0, 5],
        [6, 4, 11, 2, 20, 21, 13, 17, 16, 5, 12, 19, 1, 3, 10, 0, 22, 14, 7, 18, 8, 9, 15],
    ),
    True: (
        [19, 4, 1, 6, 21, 11, 0, 9, 14, 18, 3, 12, 8, 17, 2, 15, 7, 20, 16, 22, 13, 5, 10],
        [8, 7, 20, 10, 19, 13, 5, 3, 14, 12, 15, 6, 17, 11, 21, 16, 4, 22, 18, 1, 9, 2, 0],
    ),
}


@pytest.mark.parametrize("streaming", [False, True])
def test_a_state_of_version_0_1_goes_on_where_it_was_taken(uneven, streaming):
    table = open_corpus(uneven).table
    lines = zip(table["key"].to_pylist(), table["sha256"].to_pylist(), strict=True)
    samples = hashlib.sha256("".join(f"{key} {sha256}\n" for key, sha256 in lines).encode()).hexdigest()
    phase = {"world_size": 1, "batch_size": 2, "workers": 1, "bucket_steps": []}
    phase |= {"window_bytes": 256 << 20 if streaming else 0}
    state = {"version": 1, "samples": samples, "seed": 3, "shuffle": True, "conversations": "draw"}
    state |= {"streaming": streaming, "epoch": 0}
    one, (first, second) = loader(uneven, streaming=streaming), OF_0_1[streaming]
    one.load_state_dict({**state, "phases": [{**phase, "steps": 5}]})
    assert numbers(one) == first[10:]
    one.load_state_dict({**state, "phases": [{**phase, "steps": 12}]})  # which that version left so
    assert numbers(one) == second
