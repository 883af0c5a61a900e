"""Corpora in given proportions: exact over an epoch, each read through in its own passes, resumed exactly."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loaders.opening import CorpusError
from loaders.schedule.epochs import Epochs
from loaders.schedule.mixture import Mixture
from loaders.schedule.phase import Phase
from loaders.schedule.schedule import Schedule
from tests.loaders.schedule.tables import corpus_of

SIZES = {"speech": 300, "videos": 1700, "images": 40}


def mixture_of(sizes=SIZES, **options):
    return Mixture({name: corpus_of([1] * size, name=name) for name, size in sizes.items()}, **options)


def by_source(mixture, items):
    return np.bincount(np.searchsorted(mixture.first_rows, items[:, 0], side="right") - 1).tolist()


@pytest.mark.parametrize("in_blocks", [False, True])
def test_weights_are_kept_to_the_item_in_every_epoch_and_nearly_everywhere_in_it(in_blocks):
    mixture = mixture_of(weights={"speech": 5, "videos": 3, "images": 2})
    epochs = Epochs(mixture, in_blocks=in_blocks, block_bytes=20_000)
    for epoch in (0, 1, 7):
        items = epochs.items(epoch)
        assert by_source(mixture, items) == [1020, 612, 408]
        thirds = [by_source(mixture, items[start : start + 680]) for start in (0, 680, 1360)]
        assert np.allclose(np.array(thirds) / 680, [0.5, 0.3, 0.2], atol=0.1)


def test_a_source_is_read_through_before_anything_comes_again():
    epochs = Epochs(mixture_of(weights={"speech": 5, "videos": 3, "images": 2}))
    taken = np.concatenate([epochs.items(epoch)[:, 0] for epoch in range(8)])
    images = Counter(taken[taken >= 2000].tolist())  # 8 x 408 = 81 passes of 40 and 24
    assert set(images.values()) == {81, 82}
    videos = Counter(taken[(taken >= 300) & (taken < 2000)].tolist())
    assert len(videos) == 1700
    assert max(videos.values()) == 3


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [(1.0, [300, 1700, 40]), (2.0, [539, 1284, 197]), (1e9, [680, 680, 680])],
)
def test_temperatures(temperature, expected):
    mixture = mixture_of(temperature=temperature)
    shares = np.array([300, 1700, 40]) ** (1 / temperature)
    counts = mixture.counts([300, 1700, 40])
    assert sum(counts) == 2040
    assert np.abs(np.array(counts) - 2040 * shares / shares.sum()).max() < 1
    assert np.allclose(counts, expected, atol=25)


def test_samples_set_an_epochs_length_and_every_source_has_at_least_one():
    mixture = mixture_of(weights={"speech": 1, "videos": 1, "images": 1e-9}, samples=200)
    assert mixture.counts([300, 1700, 40]) == [100, 100, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": {"speech": 1, "videos": 1}}, "only one has images"),
        ({"weights": {"speech": 1, "videos": 1, "images": 0}}, "greater than 0"),
        ({"temperature": 0}, "greater than 0"),
        ({"weights": dict.fromkeys(SIZES, 1), "temperature": 1.0}, "not both"),
        ({"samples": 2}, "not one of each"),
    ],
)
def test_what_is_no_mixture(options, message):
    with pytest.raises(CorpusError, match=message):
        mixture_of(**options)
    with pytest.raises(CorpusError, match="at least one"):
        Mixture({})


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    weights=st.lists(st.integers(1, 9), min_size=4, max_size=4),
    worlds=st.lists(st.integers(1, 5), min_size=2, max_size=3),
    epoch=st.integers(0, 3),
    in_blocks=st.booleans(),
    data=st.data(),
)
def test_a_mix_goes_on_exactly_in_another_world(sizes, weights, worlds, epoch, in_blocks, data):
    names = [f"source {number}" for number in range(len(sizes))]
    mixture = Mixture(
        {name: corpus_of([1] * size, name=name) for name, size in zip(names, sizes, strict=True)},
        weights=dict(zip(names, weights, strict=False)),
    )
    schedule, seen = Schedule(Epochs(mixture, seed=1, in_blocks=in_blocks)), []
    done: list[Phase] = []
    for number, world in enumerate(worlds):
        phase = Phase(world, 3, workers=2 if in_blocks else 1)
        deal = schedule.deal(done, phase, epoch)
        taken = deal.steps if number == len(worlds) - 1 else data.draw(st.integers(0, deal.steps))
        dealt = [list(deal.batches(rank)) for rank in range(world)]
        assert {len(rank) for rank in dealt} == {deal.steps}
        seen += [
            item.row for rank in dealt for batch in rank[:taken] for item in batch.readings() if not item.fill
        ]
        done.append(replace(phase, steps=taken))
    assert Counter(seen) == Counter(schedule.epochs.items(epoch)[:, 0].tolist())


def test_digests_tell_mixtures_apart():
    two = {"a": corpus_of([1, 2], name="a"), "b": corpus_of([1], name="b")}
    assert Mixture({"": two["a"]}).digest == two["a"].digest
    assert Mixture(two).digest != Mixture({"b": two["b"], "a": two["a"]}).digest
