"""How epochs are dealt: every item once, equal steps, across any chain of interruptions."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loaders.opening import CorpusError
from loaders.schedule.batching import by_budget, by_count
from loaders.schedule.epochs import Epochs, with_conversations
from loaders.schedule.mixture import Mixture
from loaders.schedule.phase import Phase
from loaders.schedule.schedule import Schedule
from loaders.schedule.streams import Streams, batches_of_worker
from tests.loaders.schedule.tables import corpus_of

phases = st.lists(
    st.builds(
        Phase,
        world_size=st.integers(1, 4),
        batch_size=st.integers(1, 5),
        workers=st.integers(1, 3),
        bucket_steps=st.sampled_from([(), (2,), (1, 3)]),
        window_bytes=st.sampled_from([0, 2500, 10**9]),
        budget=st.sampled_from([0, 4, 9]),
        one_modality=st.booleans(),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=200, deadline=None)
@given(
    in_blocks=st.booleans(),
    count=st.integers(1, 40),
    conversations=st.sampled_from(["draw", "expand"]),
    chain=phases,
    data=st.data(),
)
def test_every_item_once_over_any_chain_of_interruptions(in_blocks, count, conversations, chain, data):
    corpus = corpus_of(
        [1 + n % 4 for n in range(count)],
        [n % 3 for n in range(count)],
        ["abc"[n * n % 3] for n in range(count)],
        kinds=["vai"[n % 3] for n in range(count)],
    )
    epochs = Epochs(Mixture({"": corpus}), seed=5, conversations=conversations, in_blocks=in_blocks)
    schedule, seen = Schedule(epochs), []
    done: list[Phase] = []
    for phase in chain:
        deal = schedule.deal(done, phase, 2)
        assert schedule.steps(done, phase, 2) == sum(p.steps for p in done) + deal.steps
        taken = deal.steps if phase is chain[-1] else data.draw(st.integers(0, deal.steps))
        for rank in range(phase.world_size):
            batches = list(deal.batches(rank))
            assert len(batches) == deal.steps
            for batch in batches:
                assert len(batch.items)
                assert phase.budget or len(batch.items) <= phase.batch_size
                if not in_blocks:
                    check_batch(epochs, phase, batch)
            start = data.draw(st.integers(0, deal.steps))
            assert [readings(batch) for batch in deal.batches(rank, start)] == [
                readings(batch) for batch in batches[start:]
            ]
            seen += [item for batch in batches[:taken] for item in batch.readings() if not item.fill]
        done.append(replace(phase, steps=taken))
    everything = [tuple(values) for values in epochs.items(2).tolist()]
    found = [(item.row, -1 if item.conversation is None else item.conversation) for item in seen]
    assert Counter(found) == Counter(everything)


def readings(batch):
    return batch.readings()


def check_batch(epochs, phase, batch):
    rows = batch.items[:, 0]
    if phase.one_modality:
        assert len(set(epochs.modalities.codes[rows].tolist())) == 1
    if phase.budget:
        assert len(rows) * epochs.mixture.steps[rows].max() <= phase.budget


@given(steps=st.integers(0, 50), workers=st.integers(1, 7))
def test_workers_take_turns(steps, workers):
    given = Counter(step % workers for step in range(steps))
    assert [batches_of_worker(steps, workers, worker) for worker in range(workers)] == [
        given[worker] for worker in range(workers)
    ]


def in_order(count):
    return np.stack([np.arange(count), np.full(count, -1)], axis=1)


def dealt(count, phase):
    """[rank][step] -> (rows, fills)."""
    batches = by_count(in_order(count), phase)
    return [
        [(batch.items[:, 0].tolist(), batch.fills) for batch in batches.batches(rank)]
        for rank in range(phase.world_size)
    ]


def test_the_last_step_is_shared_out_before_anything_is_repeated():
    assert dealt(9, Phase(2, 4)) == [[([0, 1, 2, 3], 0), ([8], 0)], [([4, 5, 6, 7], 0), ([8], 1)]]
    assert dealt(6, Phase(2, 4)) == [[([0, 1, 2, 3], 0)], [([4, 5], 0)]]
    assert [rank[-1] for rank in dealt(7, Phase(3, 2))] == [([6], 0), ([6], 1), ([6], 1)]
    assert [rank[-1] for rank in dealt(7, Phase(4, 7))] == [([0, 1], 0), ([2, 3], 0), ([4, 5], 0), ([6], 0)]


def test_length_buckets_by_hand():
    steps = np.array([5, 20, 21, 40, 41, 5, 60, 30])
    batches = by_count(in_order(8), Phase(1, 2, bucket_steps=(20, 40)), steps)
    assert [batch.items[:, 0].tolist() for batch in batches.batches(0)] == [[0, 1], [2, 3], [4, 6], [5, 7]]


def test_modalities_stay_apart_even_at_the_end():
    kinds = np.array([0, 1, 0, 2, 0, 1, 0, 0], np.int8)
    batches = by_count(in_order(8), Phase(1, 2, one_modality=True), modalities=kinds)
    assert [batch.items[:, 0].tolist() for batch in batches.batches(0)] == [[0, 2], [1, 5], [4, 6], [7], [3]]


def test_a_budget_counts_the_padding():
    costs = np.array([10, 1, 5, 5, 9, 1])
    batches = by_budget(in_order(6), Phase(1, 0, budget=20), costs)
    assert [batch.items[:, 0].tolist() for batch in batches.batches(0)] == [[0, 4], [2, 3, 1, 5]]


def test_a_sample_over_the_budget_is_named():
    corpus = corpus_of([3, 9, 2])
    with pytest.raises(CorpusError, match=r"sample key-1 of .* costs 9, the budget is 8"):
        Schedule(Epochs(Mixture({"": corpus}))).check(8)


def rows_of(corpus, seed, epoch, **options):
    return Epochs(Mixture({"": corpus}), seed, **options).items(epoch)[:, 0].tolist()


def test_epochs_and_seeds_differ_and_repeat():
    corpus = corpus_of([1] * 50)
    orders = [rows_of(corpus, seed, epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    assert orders[0] != orders[1] != orders[2] != orders[0]
    assert orders[0] == rows_of(corpus, 0, 0)
    assert sorted(orders[0]) == list(range(50))


def test_a_drawn_conversation_is_uniform_and_changes_with_the_epoch():
    corpus = corpus_of([1] * 3000, conversations=[3] * 3000)
    first, second = (with_conversations(corpus, "draw", 0, epoch)[:, 1] for epoch in (0, 1))
    assert (first != second).any()
    assert np.bincount(first, minlength=3).min() > 900  # 1,000 expected, standard deviation 26


def test_expanded_conversations_by_hand():
    corpus = corpus_of([1, 1, 1], conversations=[2, 0, 1])
    assert with_conversations(corpus, "expand", 0, 0).tolist() == [[0, 0], [0, 1], [1, -1], [2, 0]]


def test_a_stream_reads_blocks_of_neighbours():
    corpus = corpus_of([1] * 12, shards=["a"] * 7 + ["b"] * 5)
    rows = rows_of(corpus, 0, 0, in_blocks=True, block_bytes=3000)
    blocks = [[0, 1, 2], [3, 4, 5], [6], [7, 8, 9], [10, 11]]
    starts = {block[0]: block for block in blocks}
    found = []
    while rows:
        block = starts[rows[0]]
        assert rows[: len(block)] == block
        found.append(block)
        rows = rows[len(block) :]
    assert sorted(found) == blocks


def test_windows_shuffle_a_stream_without_leaving_it():
    corpus = corpus_of([1] * 40)
    epochs = Epochs(Mixture({"": corpus}), in_blocks=True, block_bytes=10**9)
    streams = Streams(epochs.items(0), corpus.sizes, Phase(1, 4, 2, window_bytes=10_000), 0, True, 0, 0)
    for worker, stretch in ((0, range(20)), (1, range(20, 40))):
        rows = [item.row for batch in streams.batches_of(0, worker) for item in batch.readings()]
        assert sorted(rows) == list(stretch)
        assert rows != list(stretch)
        assert all(abs(row - place) < 10 for row, place in zip(rows, stretch, strict=True))


def test_what_a_worker_fetches_ahead_is_what_it_reads():
    corpus = corpus_of([1] * 41)
    epochs = Epochs(Mixture({"": corpus}), in_blocks=True)
    streams = Streams(epochs.items(0), corpus.sizes, Phase(1, 4, 2, window_bytes=7000), 0, True, 0, 0)
    for start in (0, 2):
        fetched: Counter[int] = Counter()
        read: Counter[int] = Counter()
        for batch in streams.batches_of(0, 1, start):
            fetched.update([] if batch.ahead is None else batch.ahead.tolist())
            read.update(batch.items[:, 0].tolist())
            assert read <= fetched
        assert read == fetched


@pytest.mark.parametrize("phase", [Phase(3, 4), Phase(2, 8, 4, (20, 40), 1 << 20, 17, 9, True)])
def test_phases_survive_json(phase):
    assert Phase.from_json(phase.to_json()) == phase
