"""Readings of a mixture: what a sample becomes when it gets another's sound or loses a modality."""

import numpy as np
import pytest
import torch

from loaders.corpus import open_corpus
from loaders.loader import CheckpointError, CorpusLoader
from loaders.opening import CorpusError
from loaders.sample import TrainingSample
from loaders.schedule.mixture import Mixture
from loaders.schedule.pairing import FAVOR_RELEASED, MATCHING_QUESTIONS, Pairing
from loaders.schedule.phase import Treatment
from loaders.synchronise import Synchronise
from schemas.media import Modality

VIDEO, AUDIO, IMAGE = (Modality.VIDEO,), (Modality.AUDIO,), (Modality.IMAGE,)


@pytest.fixture(scope="module")
def mixture(make_corpus, row, tmp_path_factory):
    """12 videos of 2 steps, 5 sounds of 3, 6 images."""
    root = tmp_path_factory.mktemp("mixture")
    videos = make_corpus(root / "videos", [[row(n) for n in range(12)]])
    sounds = make_corpus(root / "sounds", [[row(n, steps=3, modalities=AUDIO) for n in range(20, 25)]])
    images = make_corpus(root / "images", [[row(n, steps=1, modalities=IMAGE) for n in range(40, 46)]])
    corpora = {"videos": videos, "sounds": sounds, "images": images}
    return Mixture({name: open_corpus(path) for name, path in corpora.items()})


def samples_of(mixture: Mixture, pairing: Pairing, epochs=1, **options) -> list[TrainingSample]:
    loader = CorpusLoader(mixture, 4, pairing=pairing, **options)
    return [sample for _ in range(epochs) for batch in loader for sample in batch]


def sound_of(sample):
    return set(sample.features["whisper"].unique().tolist())


@pytest.mark.parametrize("streaming", [False, True])
def test_a_mismatch_has_another_clips_sound_and_says_so(mixture, streaming):
    pairing = Pairing(matching=1.0)
    asked = [
        sample
        for sample in samples_of(mixture, pairing, epochs=6, streaming=streaming)
        if sample.treatment in (Treatment.MATCH, Treatment.MISMATCH)
    ]
    assert len(asked) == 6 * 12
    for sample in asked:
        number = sample.metadata["number"]
        assert sample.conversation[0]["value"] in MATCHING_QUESTIONS
        assert set(sample.features["clip"].unique().tolist()) == {number}
        assert sample.steps == len(sample.audio_mask) == 2
        assert len(sample.features["whisper"]) == 2
        if sample.treatment is Treatment.MATCH:
            assert sample.conversation[1]["value"] == "Yes."
            assert sound_of(sample) == {number}
        else:
            assert sample.conversation[1]["value"] == "No."
            assert number not in sound_of(sample)
            assert sample.sound_key != sample.key
    assert {sample.conversation[1]["value"] for sample in asked} == {"Yes.", "No."}


def test_an_image_is_shown_as_long_as_its_sound_lasts_and_both_tasks_are_joined_as_released(mixture):
    paired = [s for s in samples_of(mixture, FAVOR_RELEASED, epochs=8) if s.is_image]
    questions = {}
    for sample in paired:
        number, (sound,) = sample.metadata["number"], sound_of(sample)
        assert 20 <= sound < 25
        assert sample.steps == 3
        assert sample.audio_mask.tolist() == sample.visual_mask.tolist() == [True] * 3
        questions[sample.treatment] = [turn["value"] for turn in sample.conversation]
        here, there = f"{number}.0", f"{int(sound)}.0"
        answers = {
            Treatment.PICTURES_TASK: here,
            Treatment.SOUNDS_TASK: there,
            Treatment.BOTH_TASKS_PICTURES_FIRST: f"{here}, and {there}",
            Treatment.BOTH_TASKS_SOUND_FIRST: f"{there}, and {here}",
        }
        assert sample.conversation[1]["value"] == answers[sample.treatment]
    assert {treatment: values[0] for treatment, values in questions.items()} == {
        Treatment.PICTURES_TASK: "In the image, question 0",
        Treatment.SOUNDS_TASK: "question 0",
        Treatment.BOTH_TASKS_PICTURES_FIRST: "In the image, question 0, and question 0",
        Treatment.BOTH_TASKS_SOUND_FIRST: "question 0, and in the image, question 0",
    }


def test_a_modality_left_out_is_masked(mixture):
    collate = Synchronise.of(mixture.sources["videos"])
    for sample in samples_of(mixture, Pairing(no_sound=0.5, no_pictures=0.5)):
        if sample.treatment is Treatment.AS_IS:
            assert sample.metadata["number"] >= 20
            continue
        kept = {Treatment.NO_SOUND: [1, 0], Treatment.NO_PICTURES: [0, 1]}[sample.treatment]
        batch = collate([sample])
        assert batch.modality_mask.tolist() == [kept]
        some = float(sample.metadata["number"])  # what every feature of the sample is
        assert [float(batch.visual.max()), float(batch.audio.max())] == [some * value for value in kept]


@pytest.mark.parametrize("pairing", [None, FAVOR_RELEASED, Pairing(no_sound=0.5)])
def test_no_batch_of_two_modalities_when_asked(mixture, pairing):
    collate = Synchronise.of(mixture.sources["videos"])
    ranks = [
        CorpusLoader(mixture, 4, pairing=pairing, one_modality=True, collate=collate, rank=rank, world_size=2)
        for rank in (0, 1)
    ]
    for _ in range(3):
        batches = [list(rank) for rank in ranks]
        assert len(batches[0]) == len(batches[1])
        for batch in [*batches[0], *batches[1]]:
            kinds = {
                (*mask, s.is_image)
                for mask, s in zip(batch.modality_mask.tolist(), batch.samples, strict=True)
            }
            assert len(kinds) == 1


def test_a_mixed_and_paired_epoch_resumes_in_another_world(mixture):
    options = {"pairing": FAVOR_RELEASED, "one_modality": True, "seed": 2}

    def told(batches):
        return [
            (sample.key, str(sample.conversation), sample.treatment, sample.sound_key)
            for batch in batches
            for sample in batch
            if not sample.fill
        ]

    whole = told(CorpusLoader(mixture, 3, **options))
    ranks = [CorpusLoader(mixture, 3, rank=rank, world_size=2, **options) for rank in (0, 1)]
    found = []
    for rank in ranks:
        iterator = iter(rank)
        found += told([next(iterator) for _ in range(2)])
    alone = CorpusLoader(mixture, 4, **options)
    alone.load_state_dict(ranks[0].state_dict())
    found += told(alone)
    assert sorted(found, key=str) == sorted(whole, key=str)


def test_a_state_of_other_proportions_or_another_pairing_is_refused(mixture):
    weights = {"videos": 5, "sounds": 3, "images": 2}
    state = CorpusLoader(Mixture(mixture.sources, weights), 4, pairing=FAVOR_RELEASED).state_dict()
    assert state["mixture"]["weights"] == [5, 3, 2]
    with pytest.raises(CheckpointError, match="mixture"):
        CorpusLoader(mixture, 4, pairing=FAVOR_RELEASED).load_state_dict(state)
    with pytest.raises(CheckpointError, match="pairing"):
        CorpusLoader(Mixture(mixture.sources, weights), 4, pairing=Pairing()).load_state_dict(state)


def test_batches_by_a_budget_of_tokens(mixture):
    """A collate function's tokens: 25 of sound and 3 of pictures a step."""

    def tokens(table):
        return 25 * table["audio_steps"].to_numpy() + 3 * table["visual_steps"].to_numpy()

    loader = CorpusLoader(mixture, budget=230, cost=tokens)
    batches = list(loader)
    costs = [
        [25 * int(s.audio_mask.sum()) + 3 * int(s.visual_mask.sum()) for s in batch] for batch in batches
    ]
    assert all(len(batch) * max(batch) <= 230 for batch in costs)
    assert sorted(s.metadata["number"] for batch in batches for s in batch) == [
        *range(12),
        *range(20, 25),
        *range(40, 46),
    ]
    with pytest.raises(CorpusError, match="costs 75, the budget is 70"):
        CorpusLoader(mixture, budget=70, cost=tokens)
    with pytest.raises(CheckpointError, match="costs"):
        CorpusLoader(mixture, budget=230).load_state_dict(loader.state_dict())
    assert torch.is_tensor(batches[0][0].features[next(iter(batches[0][0].features))])
    assert np.isfinite(len(loader))


def test_columns_that_are_not_known_cannot_be_paired(make_corpus, row, tmp_path):
    root = make_corpus(tmp_path / "corpus", [[row(n) for n in range(3)]])
    text = (root / "corpus.json").read_text()
    (root / "corpus.json").write_text(text.replace('"columns": {"whisper"', '"columns": {}, "x": {"whisper"'))
    with pytest.raises(CorpusError, match=r"corpus\.json"):
        CorpusLoader(open_corpus(root), 2, pairing=Pairing(no_sound=0.5))
