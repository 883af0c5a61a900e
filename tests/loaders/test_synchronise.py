"""FAVOR's synchronisation against tensors written down by hand."""

from dataclasses import replace

import pytest
import torch

from loaders.corpus import open_corpus
from loaders.dataset import CorpusDataset
from loaders.loader import CorpusLoader
from loaders.opening import CorpusError
from loaders.sample import TrainingSample
from loaders.synchronise import Further, Synchronise
from loaders.times import Times
from schemas.features import Rate
from schemas.grid import STEP_NS
from schemas.media import Modality

COLLATE = Synchronise(visual_tokens=32, visual_width=1, audio_width=2)


def sample(steps, audio=None, visual=None, image=False, **fields):
    """`audio` and `visual`: a number a step; every vector of the step is that number."""
    features = {}
    if audio:
        features["whisper"] = torch.tensor(audio, dtype=torch.float16)[:, None, None].expand(-1, 25, 2)
    if visual:
        features["clip"] = torch.tensor(visual, dtype=torch.float16)[:, None, None].expand(-1, 32, 1)
    defaults = {
        "audio_mask": torch.full((steps,), bool(audio)),
        "visual_mask": torch.full((steps,), bool(visual)),
        "media": {"image": {}} if image else {"video": {}},
    }
    return TrainingSample(
        key="key",
        id="id",
        steps=steps,
        span_ns=(0, steps * 500_000_000),
        features=features,
        frame_times=[None] * steps,
        conversations=[],
        metadata={},
        **{**defaults, **fields},
    )


def a_step(value, real):
    """32 rows of one step: `real` rows of `value`, then zeros."""
    return [value] * real + [0] * (32 - real)


def test_twenty_five_vectors_are_padded_to_thirty_two():
    batch = COLLATE([sample(2, audio=[3, 4], visual=[5, 6])])
    assert batch.audio.shape == (1, 2, 32, 2)
    assert batch.audio[0, :, :, 0].tolist() == [a_step(3, 25), a_step(4, 25)]
    assert batch.visual[0, :, :, 0].tolist() == [a_step(5, 32), a_step(6, 32)]
    assert batch.modality_mask.tolist() == [[1, 1]]


def test_the_shorter_is_padded_and_says_so():
    batch = COLLATE([sample(1, audio=[3], visual=[5]), sample(3, audio=[1, 2, 3], visual=[4, 5, 6])])
    assert batch.steps.tolist() == [1, 3]
    assert batch.step_mask.tolist() == [[True, False, False], [True, True, True]]
    assert batch.audio[0, :, 0, 0].tolist() == [3, 0, 0]
    assert batch.audio_mask[0].tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("made", "modality", "audio", "visual"),
    [
        (sample(2, visual=[5, 6]), [1, 0], [0, 0], [5, 6]),
        (sample(2, audio=[3, 4]), [0, 1], [3, 4], [0, 0]),
        (sample(2, audio=[3, 4], visual=[7], image=True), [1, 1], [3, 4], [7, 7]),
        (sample(1, visual=[7], image=True), [1, 0], [0], [7]),
    ],
)
def test_missing_modalities(made, modality, audio, visual):
    batch = COLLATE([made])
    assert batch.modality_mask.tolist() == [modality]
    assert batch.audio[0, :, 0, 0].tolist() == audio
    assert batch.visual[0, :, 0, 0].tolist() == visual


def test_a_missing_step_is_zero_whatever_is_stored():
    mask = torch.tensor([False, True])
    batch = COLLATE([sample(2, audio=[3, 4], visual=[5, 6], visual_mask=mask)])
    assert batch.visual[0, :, 0, 0].tolist() == [0, 6]
    assert batch.visual_mask.tolist() == [[False, True]]


def test_a_fill_weighs_nothing():
    assert COLLATE([sample(1, audio=[1]), sample(1, audio=[1], fill=True)]).weight.tolist() == [1, 0]


def test_more_tokens_than_thirty_two_widen_the_step():
    assert Synchronise(257, 4, 4).rows == 257
    assert Synchronise(1, 4, 4).rows == 25


def test_widths_come_from_the_corpus(make_corpus, row, tmp_path):
    rows = [
        row(0, modalities=(Modality.AUDIO,)),
        row(1, modalities=(Modality.IMAGE,), steps=1),
        row(2, steps=3),
    ]
    corpus = open_corpus(make_corpus(tmp_path / "corpus", [rows]))
    collate = Synchronise.of(corpus)
    assert (collate.visual_tokens, collate.visual_width, collate.audio_width) == (3, 6, 4)
    (batch,) = CorpusLoader(corpus, 3, collate=collate, shuffle=False)
    assert batch.modality_mask.tolist() == [[0, 1], [1, 0], [1, 1]]
    assert [s.metadata["number"] for s in batch.samples] == [0, 1, 2]
    assert not any(s.features for s in batch.samples)
    with pytest.raises(CorpusError, match=r"no sample of .* has the column 'siglip'"):
        Synchronise.of(corpus, visual="siglip")


def test_a_column_that_is_not_there_stays_zero(make_corpus, row, tmp_path):
    corpus = open_corpus(make_corpus(tmp_path / "corpus", [[row(1)]]))
    collate = Synchronise.of(corpus, visual=None)
    batch = collate([CorpusDataset(corpus)[0]])
    assert batch.modality_mask.tolist() == [[0, 1]]
    assert not batch.visual.any()


def further(column, rate, tokens, **fields):
    times = Times(rate, **fields) if rate else None
    width = 1
    return Further(column, True, times.tokens(tokens) if times else tokens, width, times)


BEATS = Rate(160_000_000, 160_000_000)


def patches(rows):
    """Row i's eight patches are 10 i to 10 i + 7."""
    return (10 * torch.arange(rows)[:, None] + torch.arange(8)).half()[..., None]


def with_beats(steps, rows, **fields):
    made = sample(steps, audio=[1] * steps, visual=[2] * steps, **fields)
    return replace(made, features={**made.features, "beats": patches(rows)})


def test_rows_of_160_ms_go_to_every_step_that_they_overlap():
    collate = replace(COLLATE, more=(further("beats", BEATS, 8),))
    assert collate.rows == 32  # four rows of eight patches a step, whatever the step
    batch = collate([with_beats(4, 12), sample(2, visual=[3, 4])])
    placed = batch.more["beats"]
    held = [
        sorted({int(v) // 10 for v in row[mask, 0]})
        for row, mask in zip(*[t[0] for t in placed], strict=True)
    ]
    assert held == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9], [9, 10, 11]]  # 480 to 640 ms are in two
    assert placed.features[0, 1, :9, 0].tolist() == [30, 31, 32, 33, 34, 35, 36, 37, 40]
    assert not placed.mask[1].any()
    assert not placed.features[1].any()


def test_released_lays_patches_out_by_twenty_five():
    collate = replace(COLLATE, more=(further("beats", BEATS, 8, released=True),))
    placed = collate([with_beats(3, 7)]).more["beats"]
    assert placed.mask[0].sum(-1).tolist() == [25, 25, 6]
    assert placed.features[0, 1, :3, 0].tolist() == [31, 32, 33]  # the 26th patch and on
    assert placed.features[0, 2, 6:].abs().sum() == 0


def test_sound_that_keeps_its_padding_and_frames_by_their_own_count():
    """60 steps of one padded window, 16 frames of a video of 7.3 s: as long as the longest."""
    tail = replace(COLLATE, audio_times=Times(Rate(STEP_NS, STEP_NS)))
    made = sample(15, audio=[1] * 60, visual=[2] * 16, visual_mask=torch.ones(16, dtype=torch.bool))
    batch = tail([made])
    assert batch.steps.tolist() == [60]
    assert batch.audio_mask[0].all()
    assert batch.visual_mask[0].sum() == 16
    assert batch.visual[0, 16:].abs().sum() == 0


def test_a_picture_alone_is_shown_as_long_as_asked():
    batch = replace(COLLATE, image_steps=60)([sample(1, visual=[7], image=True)])
    assert batch.steps.tolist() == [60]
    assert (batch.visual[0, :, :, 0] == 7).all()
    assert batch.modality_mask.tolist() == [[1, 0]]


def test_a_batch_moves_with_all_its_columns():
    batch = replace(COLLATE, more=(further("beats", BEATS, 8),))([with_beats(2, 6)]).to("cpu")
    assert batch.more["beats"].features.shape == (1, 2, 32, 1)
