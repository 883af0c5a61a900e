"""Which sound goes with which pictures, drawn anew in every pass: from features alone, nothing is decoded."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from loaders.opening import CorpusError
from loaders.schedule.mixture import Mixture
from loaders.schedule.modalities import IMAGE, NO_PICTURES, SOUND, VIDEO, Modalities
from loaders.schedule.phase import Items, Rows, Treatment

Mask = npt.NDArray[np.bool_]

# The questions of the released training code (bytedance/SALMONN, videosalmonn, sft_dataset.py).
MATCHING_QUESTIONS = (
    "Is the audio compatible with the video?",
    "Does the audio come from the same source as the video?",
    "Is the audio related to the video?",
)


@dataclass(frozen=True)
class Pairing:
    """Shares, each from 0 to 1; by default nothing is changed.

    Attributes:
        unpaired: of the pictures without sound, those to which another sample's sound is put.
        image_both, video_both: of these images and videos, those where both tasks are asked in one. Else an
            image has one of the two tasks, and a video its own, without the sound.
        matching: of the videos with sound, those that are asked whether it belongs to them.
        mismatched: of these, those that have another recording's sound, and the answer "No.".
        no_sound, no_pictures: of the rest of what has both, where one of them is left out.
        sounds: the sources that `unpaired` takes sound from; (): all samples of sound alone.
        mismatches: the sources that `mismatched` takes sound from; (): all samples with sound.
    """

    unpaired: float = 0.0
    image_both: float = 0.5
    video_both: float = 0.2
    matching: float = 0.0
    mismatched: float = 0.5
    no_sound: float = 0.0
    no_pictures: float = 0.0
    sounds: tuple[str, ...] = ()
    mismatches: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, float) and not 0 <= value <= 1:
                raise CorpusError(f"{name}={value}: a share lies between 0 and 1")
        if self.no_sound + self.no_pictures > 1:
            raise CorpusError("no_sound and no_pictures together are more than all samples")

    def to_json(self) -> dict[str, Any]:
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


# FAVOR's released training: an image or a video that has no sound is joined to some; a tenth of the videos
# with sound are asked about it, half of those with another sound (which the release takes from AudioCaps:
# name its source in `mismatches`).
FAVOR_RELEASED = Pairing(unpaired=1.0, matching=0.1)


@dataclass(frozen=True)
class Pairer:
    """A pairing of a mixture's rows.

    Raises:
        CorpusError: sound is asked for that no source has.
    """

    pairing: Pairing
    modalities: Modalities

    def __post_init__(self) -> None:
        unknown = {*self.pairing.sounds, *self.pairing.mismatches} - set(self.mixture.names)
        if unknown:
            raise CorpusError(f"no source of the mixture is called {', '.join(sorted(unknown))}")
        silent = (self.modalities.pictures != NO_PICTURES) & ~self.modalities.sound
        if self.pairing.unpaired and silent.any() and not len(self._sounds):
            raise CorpusError("no sample of sound alone to put to unpaired pictures: leave out `unpaired`")
        askable = (self.modalities.pictures == VIDEO) & self.modalities.sound
        if self.pairing.matching and self.pairing.mismatched and askable.any():
            self._check_mismatches(np.flatnonzero(askable))

    @property
    def mixture(self) -> Mixture:
        return self.modalities.mixture

    def pair(self, items: Items, random: np.random.Generator) -> Items:
        """[items, 2] -> [items, 5]: one draw for every item, whatever became of the others."""
        draws = random.random((6, len(items)))
        rows = items[:, 0]
        paired = np.concatenate([items, np.full((len(items), 2), -1), np.zeros((len(items), 1))], axis=1)
        paired = paired.astype(np.int64)
        pictures, sound = self.modalities.pictures[rows], self.modalities.sound[rows]
        shares = self.pairing
        self._put_sound(paired, (pictures != NO_PICTURES) & ~sound & (draws[0] < shares.unpaired), draws)
        asked = (pictures == VIDEO) & sound & (draws[0] < shares.matching)
        self._ask(paired, asked, draws)
        both = (pictures != NO_PICTURES) & sound & ~asked
        paired[both & (draws[5] < shares.no_sound), 4] = Treatment.NO_SOUND
        some = both & (draws[5] >= shares.no_sound) & (draws[5] < shares.no_sound + shares.no_pictures)
        paired[some, 4] = Treatment.NO_PICTURES
        return paired

    def _put_sound(self, paired: Items, chosen: Mask, draws: npt.NDArray[np.float64]) -> None:
        places = np.flatnonzero(chosen)
        image = self.modalities.pictures[paired[places, 0]] == IMAGE
        both = draws[3, places] < np.where(image, self.pairing.image_both, self.pairing.video_both)
        places, image, both = (values[image | both] for values in (places, image, both))
        if not len(places):
            return
        sounds = self._sounds[(draws[1, places] * len(self._sounds)).astype(np.int64)]
        counts = self.mixture.conversations[sounds]
        conversations = np.where(counts > 0, (draws[2, places] * counts).astype(np.int64), -1)
        first = draws[4, places] < 0.5  # the pictures' task is the one, or comes first
        treatments = np.where(first, Treatment.PICTURES_TASK, Treatment.SOUNDS_TASK)
        joined = np.where(first, Treatment.BOTH_TASKS_PICTURES_FIRST, Treatment.BOTH_TASKS_SOUND_FIRST)
        treatments = np.where(both, joined, treatments)
        treatments[conversations < 0] = Treatment.PICTURES_TASK  # nothing is asked about the sound
        treatments[(conversations >= 0) & (paired[places, 1] < 0)] = Treatment.SOUNDS_TASK
        paired[places, 2], paired[places, 3], paired[places, 4] = sounds, conversations, treatments

    def _ask(self, paired: Items, asked: Mask, draws: npt.NDArray[np.float64]) -> None:
        places = np.flatnonzero(asked)
        paired[places, 1] = (draws[4, places] * len(MATCHING_QUESTIONS)).astype(np.int64)
        other = draws[3, places] < self.pairing.mismatched
        paired[places, 4] = np.where(other, Treatment.MISMATCH, Treatment.MATCH)
        places = places[other]
        if len(places):
            paired[places, 2] = self._of_another(paired[places, 0], draws[1, places])

    def _of_another(self, rows: Rows, draws: npt.NDArray[np.float64]) -> Rows:
        """Uniform over the sounds of other recordings: those of its own lie together and are stepped over."""
        pool, recordings = self._mismatches
        own = self.modalities.recordings[rows]
        start, end = (np.searchsorted(recordings, own, side) for side in ("left", "right"))
        place = (draws * (len(pool) - (end - start))).astype(np.int64)
        return pool[np.where(place >= start, place + (end - start), place)]

    def _check_mismatches(self, rows: Rows) -> None:
        pool, recordings = self._mismatches
        own = self.modalities.recordings[rows]
        if not len(pool) or (len(np.unique(recordings)) == 1 and (own == recordings[0]).any()):
            raise CorpusError("no other recording's sound for a mismatch: leave out `matching`")

    @cached_property
    def _sounds(self) -> Rows:
        """Rows of sound alone."""
        alone = self.modalities.sound & (self.modalities.pictures == NO_PICTURES)
        return np.flatnonzero(alone & self._of_sources(self.pairing.sounds))

    @cached_property
    def _mismatches(self) -> tuple[Rows, npt.NDArray[np.int64]]:
        """Rows with sound, and their recordings' numbers, sorted by these."""
        rows = np.flatnonzero(self.modalities.sound & self._of_sources(self.pairing.mismatches))
        recordings = self.modalities.recordings[rows]
        order = np.argsort(recordings, kind="stable")
        return rows[order], recordings[order]

    def _of_sources(self, names: tuple[str, ...]) -> Mask:
        """bool [rows]."""
        wanted = np.array([not names or name in names for name in self.mixture.names])
        return np.repeat(wanted, np.diff(self.mixture.first_rows))


def modalities_of(items: Items, modalities: Modalities) -> npt.NDArray[np.int8]:
    """int8 [items]: what a model gets of each, as Modalities.codes has it."""
    codes = modalities.codes[items[:, 0]]
    if items.shape[1] > 2:
        treatment = items[:, 4]
        codes = np.where(treatment == Treatment.NO_SOUND, codes % SOUND, codes)
        codes = np.where(treatment == Treatment.NO_PICTURES, SOUND, codes)
        codes = np.where(items[:, 2] >= 0, codes % SOUND + SOUND, codes)
    return codes.astype(np.int8)


def longest(items: Items, per_row: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Steps or cost of each item: where another's sound is put to pictures, the greater of both.

    A mismatch keeps its pictures' length.
    """
    values = per_row[items[:, 0]]
    if items.shape[1] > 2:
        put = items[:, 4] >= Treatment.PICTURES_TASK
        values = np.where(put, np.maximum(values, per_row[items[:, 2]]), values)
    return values
