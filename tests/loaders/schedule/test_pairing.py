"""Which sound goes with which pictures: the released shares, and never a clip's own sound as another's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loaders.opening import CorpusError
from loaders.schedule.epochs import Epochs
from loaders.schedule.mixture import Mixture
from loaders.schedule.modalities import IMAGE, NO_PICTURES, SOUND, VIDEO, Modalities
from loaders.schedule.pairing import FAVOR_RELEASED, Pairing, longest, modalities_of
from loaders.schedule.phase import Treatment
from tests.loaders.schedule.tables import corpus_of


def shares(treatments, *kinds):
    return np.isin(treatments, kinds).mean()


def items_of(corpus, pairing, epoch=0, **options):
    return Epochs(Mixture({"": corpus}), 0, pairing=pairing, **options).items(epoch)


def test_modalities_by_hand():
    modalities = Modalities(Mixture({"": corpus_of([1] * 5, kinds=list("vsaib"))}))
    assert modalities.codes.tolist() == [VIDEO + SOUND, VIDEO, SOUND, IMAGE, IMAGE + SOUND]


def test_a_tenth_of_the_videos_is_asked_about_and_half_of_those_have_another_sound():
    items = items_of(corpus_of([1] * 20_000), FAVOR_RELEASED)
    assert abs(shares(items[:, 4], Treatment.MATCH) - 0.05) < 0.005
    assert abs(shares(items[:, 4], Treatment.MISMATCH) - 0.05) < 0.005
    asked = items[np.isin(items[:, 4], [Treatment.MATCH, Treatment.MISMATCH])]
    assert np.bincount(asked[:, 1]).min() > len(asked) / 3 * 0.85
    assert (items[items[:, 4] == Treatment.MATCH, 2] == -1).all()


def test_images_without_sound_are_joined_to_some_half_the_time_with_both_tasks():
    kinds = ["i"] * 10_000 + ["a"] * 500
    items = items_of(corpus_of([1] * 10_000 + [4] * 500, kinds=kinds), FAVOR_RELEASED)
    images, sounds = items[items[:, 0] < 10_000], items[items[:, 0] >= 10_000]
    assert (sounds[:, 4] == Treatment.AS_IS).all()
    assert (images[:, 2] >= 10_000).all()
    for treatment in (Treatment.PICTURES_TASK, Treatment.SOUNDS_TASK):
        assert abs(shares(images[:, 4], treatment) - 0.25) < 0.02
    both = (Treatment.BOTH_TASKS_PICTURES_FIRST, Treatment.BOTH_TASKS_SOUND_FIRST)
    assert abs(shares(images[:, 4], *both) - 0.5) < 0.02
    modalities = Modalities(Mixture({"": corpus_of([1] * 10_500, kinds=kinds)}))
    assert set(modalities_of(images, modalities).tolist()) == {IMAGE + SOUND}
    assert set(longest(images, np.array([1] * 10_000 + [4] * 500)).tolist()) == {4}


def test_four_fifths_of_the_silent_videos_stay_silent():
    items = items_of(corpus_of([1] * 10_500, kinds=["s"] * 10_000 + ["a"] * 500), FAVOR_RELEASED)
    videos = items[items[:, 0] < 10_000]
    assert abs(shares(videos[:, 4], Treatment.AS_IS) - 0.8) < 0.02
    assert (videos[videos[:, 4] == Treatment.AS_IS, 2] == -1).all()


def test_modality_dropout():
    items = items_of(corpus_of([1] * 10_000), Pairing(no_sound=0.3, no_pictures=0.1))
    assert abs(shares(items[:, 4], Treatment.NO_SOUND) - 0.3) < 0.02
    assert abs(shares(items[:, 4], Treatment.NO_PICTURES) - 0.1) < 0.02
    silent = items_of(corpus_of([1] * 10, kinds=["s", "a"] * 5), Pairing(no_sound=1.0))
    assert (silent[:, 4] == Treatment.AS_IS).all()


@settings(max_examples=100, deadline=None)
@given(
    recordings=st.lists(st.sampled_from("abcd"), min_size=2, max_size=40).filter(lambda r: len(set(r)) > 1),
    seed=st.integers(0, 99),
    epoch=st.integers(0, 3),
)
def test_a_mismatch_never_has_a_clips_own_recording(recordings, seed, epoch):
    corpus = corpus_of([1] * len(recordings), recordings=recordings)
    pairing = Pairing(matching=1.0, mismatched=1.0)
    items = Epochs(Mixture({"": corpus}), seed, pairing=pairing).items(epoch)
    assert all(recordings[row] != recordings[sound] for row, sound in items[:, [0, 2]].tolist())


def test_every_other_sound_is_as_likely():
    corpus = corpus_of([1] * 6, recordings=list("aabbbc"))
    epochs = Epochs(Mixture({"": corpus}), pairing=Pairing(matching=1.0, mismatched=1.0))
    drawn = np.concatenate([epochs.items(epoch) for epoch in range(3000)])
    of_the_first = np.bincount(drawn[drawn[:, 0] == 0, 2], minlength=6) / 3000
    assert np.allclose(of_the_first, [0, 0, 0.25, 0.25, 0.25, 0.25], atol=0.03)


def test_sounds_come_from_the_sources_that_are_named():
    sources = {
        "videos": corpus_of([1] * 200, name="videos"),
        "audiocaps": corpus_of([1] * 7, kinds=["a"] * 7, name="audiocaps", recordings=list("1234567")),
    }
    pairing = Pairing(matching=1.0, mismatched=1.0, mismatches=("audiocaps",))
    items = Epochs(Mixture(sources), pairing=pairing).items(0)
    assert (items[items[:, 0] < 200, 2] >= 200).all()
    with pytest.raises(CorpusError, match="no source of the mixture is called vggsound"):
        Epochs(Mixture(sources), pairing=Pairing(matching=1.0, mismatches=("vggsound",))).items(0)


def test_draws_do_not_depend_on_the_order():
    corpus = corpus_of([1] * 300, kinds=["v", "s", "a"] * 100, conversations=[1, 2, 3] * 100)
    shuffled, in_blocks = (items_of(corpus, FAVOR_RELEASED, in_blocks=blocks) for blocks in (False, True))
    assert sorted(shuffled.tolist()) == sorted(in_blocks.tolist())
    assert sorted(shuffled.tolist()) != sorted(items_of(corpus, FAVOR_RELEASED, epoch=1).tolist())


@pytest.mark.parametrize(
    ("corpus", "pairing", "message"),
    [
        (corpus_of([1, 1], kinds=["i", "i"]), FAVOR_RELEASED, "no sample of sound alone"),
        (corpus_of([1, 1], recordings=["a", "a"]), FAVOR_RELEASED, "no other recording's sound"),
    ],
)
def test_a_pairing_that_cannot_be(corpus, pairing, message):
    with pytest.raises(CorpusError, match=message):
        Epochs(Mixture({"": corpus}), pairing=pairing)
    with pytest.raises(CorpusError, match="between 0 and 1"):
        Pairing(unpaired=1.5)
    assert Modalities(Mixture({"": corpus})).pictures.max() > NO_PICTURES
