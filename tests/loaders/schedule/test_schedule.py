"""How epochs are dealt: every item once, equal steps, across any chain of interruptions."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loaders.plan import Item, Phase, ShuffledPlan, StreamPlan, batches_of_worker, with_conversations


def corpus_of(steps, conversations=None, shards=None):
    """What a plan reads of a corpus: columns of its index."""
    count = len(steps)
    shards = shards or ["a"] * count
    offsets = [sum(1000 for other in shards[:row] if other == shards[row]) for row in range(count)]
    table = pa.table({"shard": shards, "offset": offsets, "size": [1000] * count})

    class Fake(SimpleNamespace):
        def __len__(self):
            return count

    return Fake(
        table=table,
        steps=np.array(steps, np.int64),
        conversations=np.array(conversations or [1] * count, np.int64),
    )


def rank_items(plan, items, phase, rank, epoch, number):
    """A rank's batches, in the order a loader with `phase.workers` workers gives them."""
    if isinstance(plan, ShuffledPlan):
        return plan.batches(items, phase, rank)
    streams = []
    for worker in range(phase.workers):
        read = [item for window in plan.stream(items, phase, rank, worker, epoch, number) for item in window]
        streams.append([read[at : at + phase.batch_size] for at in range(0, len(read), phase.batch_size)])
    steps = sum(map(len, streams))
    return [streams[step % phase.workers][step // phase.workers] for step in range(steps)]


phases = st.lists(
    st.builds(
        Phase,
        world_size=st.integers(1, 4),
        batch_size=st.integers(1, 5),
        workers=st.integers(1, 3),
        bucket_steps=st.sampled_from([(), (2,), (1, 3)]),
        window_bytes=st.sampled_from([0, 2500, 10**9]),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=150, deadline=None)
@given(
    plan_type=st.sampled_from([ShuffledPlan, StreamPlan]),
    count=st.integers(1, 40),
    conversations=st.sampled_from(["draw", "expand"]),
    chain=phases,
    data=st.data(),
)
def test_every_item_once_over_any_chain_of_interruptions(plan_type, count, conversations, chain, data):
    corpus = corpus_of(
        [1 + n % 4 for n in range(count)],
        [n % 3 for n in range(count)],
        ["abc"[n * n % 3] for n in range(count)],
    )
    plan = plan_type(corpus, seed=5, conversations=conversations)
    everything = items = plan.items(epoch=2)
    seen = []
    for number, phase in enumerate(chain):
        total = plan.steps(items, phase)
        last = number == len(chain) - 1
        taken = total if last else data.draw(st.integers(0, total))
        for rank in range(phase.world_size):
            batches = rank_items(plan, items, phase, rank, 2, number)
            assert len(batches) == total
            assert all(0 < len(batch) <= phase.batch_size for batch in batches)
            seen += [item for batch in batches[:taken] for item in batch if not item.fill]
        done = Phase(**{**phase.__dict__, "steps": taken})
        items = plan.remaining(items, done, 2, number)
    wanted = [Item(row, None if number < 0 else number) for row, number in everything.tolist()]
    assert Counter(seen) == Counter(wanted)


@given(steps=st.integers(0, 50), workers=st.integers(1, 7))
def test_workers_take_turns(steps, workers):
    given = Counter(step % workers for step in range(steps))
    assert [batches_of_worker(steps, workers, worker) for worker in range(workers)] == [
        given[worker] for worker in range(workers)
    ]


def test_the_last_step_is_shared_out_before_anything_is_repeated():
    plan = ShuffledPlan(corpus_of([1] * 9), shuffle=False)
    items = plan.items(0)
    rows = [
        [[item.row for item in batch] for batch in plan.batches(items, Phase(2, 4), rank)] for rank in (0, 1)
    ]
    assert rows == [[[0, 1, 2, 3], [8]], [[4, 5, 6, 7], [8]]]
    assert [item.fill for item in plan.batches(items, Phase(2, 4), 1)[-1]] == [True]
    shared = [plan.batches(items[:6], Phase(2, 4), rank)[-1] for rank in (0, 1)]
    assert [[item.row for item in batch] for batch in shared] == [[0, 1, 2, 3], [4, 5]]
    uneven = [plan.batches(items[:7], Phase(3, 2), rank)[-1] for rank in (0, 1, 2)]
    assert [[(item.row, item.fill) for item in batch] for batch in uneven] == [
        [(6, False)],
        [(6, True)],
        [(6, True)],
    ]


def test_length_buckets_by_hand():
    plan = ShuffledPlan(corpus_of([5, 20, 21, 40, 41, 5, 60, 30]), shuffle=False)
    batches = plan.batches(plan.items(0), Phase(1, 2, bucket_steps=(20, 40)), 0)
    assert [[item.row for item in batch] for batch in batches] == [[0, 1], [2, 3], [4, 6], [5, 7]]


def test_epochs_and_seeds_differ_and_repeat():
    corpus = corpus_of([1] * 50)
    orders = [
        ShuffledPlan(corpus, seed).items(epoch)[:, 0].tolist() for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    assert orders[0] != orders[1] != orders[2] != orders[0]
    assert orders[0] == ShuffledPlan(corpus, 0).items(0)[:, 0].tolist()
    assert sorted(orders[0]) == list(range(50))


def test_a_drawn_conversation_is_uniform_and_changes_with_the_epoch():
    corpus = corpus_of([1] * 3000, conversations=[3] * 3000)
    first, second = (with_conversations(corpus, np.arange(3000), "draw", 0, epoch)[:, 1] for epoch in (0, 1))
    assert (first != second).any()
    assert np.bincount(first, minlength=3).min() > 900  # 1,000 expected, standard deviation 26


def test_expanded_conversations_by_hand():
    corpus = corpus_of([1, 1, 1], conversations=[2, 0, 1])
    items = with_conversations(corpus, np.array([2, 0, 1]), "expand", 0, 0)
    assert items.tolist() == [[2, 0], [0, 0], [0, 1], [1, -1]]


def test_a_stream_reads_blocks_of_neighbours():
    plan = StreamPlan(corpus_of([1] * 12, shards=["a"] * 7 + ["b"] * 5), block_bytes=3000)
    rows = plan.items(0)[:, 0].tolist()
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
    plan = StreamPlan(corpus_of([1] * 40), block_bytes=10**9)
    items = plan.items(0)
    phase = Phase(1, 4, workers=2, window_bytes=10_000)
    for worker, stretch in ((0, range(20)), (1, range(20, 40))):
        windows = plan.stream(items, phase, 0, worker, 0, 0)
        rows = [item.row for window in windows for item in window]
        assert sorted(rows) == list(stretch)
        assert rows != list(stretch)
        assert all(abs(row - place) < 10 for row, place in zip(rows, stretch, strict=True))


@pytest.mark.parametrize("phase", [Phase(3, 4), Phase(2, 8, 4, (20, 40), 1 << 20, 17)])
def test_phases_survive_json(phase):
    assert Phase.from_json(phase.to_json()) == phase
