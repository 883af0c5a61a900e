"""How much of the time the picture stands still."""

from __future__ import annotations

import numpy as np

from signals.picture.difference import differences
from signals.picture.small import FRAMES
from signals.signal import NOTHING, Film, Measured, Pictures, Signal

LEAST_S = 0.5  # less is a low frame rate
STILL = 0.001  # freezedetect's default noise, -60 dB


def _freeze(pictures: Pictures) -> Measured:
    changes = differences(pictures)
    known = changes[~np.isnan(changes)]
    if pictures.still or not known.size:
        return NOTHING
    return Measured(float((known < STILL).mean()))


def _freeze_of_film(film: Film) -> Measured:
    """The time in which the picture is that of half a second before, as freezedetect has it with d=0.5."""
    if len(film.frames) < 2:
        return NOTHING
    shown = np.clip(np.append(film.times_s, film.length_s), 0, film.length_s)
    frozen, first = 0.0, 0
    for at in range(1, len(film.frames) + 1):
        ended = at == len(film.frames)
        if ended or np.abs(film.frames[at].astype(np.int16) - film.frames[first]).mean() / 255 >= STILL:
            lasted = shown[at] - shown[first]
            frozen += lasted if lasted >= LEAST_S else 0.0
            first = at
    return Measured(float(frozen / (shown[-1] - shown[0])) if shown[-1] > shown[0] else None)


SIGNAL = Signal(
    name="freeze_share",
    unit="share of the steps whose frame and the one before it are known; null for a still image",
    resolution="0.5 s; with full a frame, and the share of the time",
    tolerance="two steps of the span",
    source="luma changes by less than 0.001 of full scale on average, the default of FFmpeg's freezedetect",
    of_pictures=_freeze,
    of_film=_freeze_of_film,
    frames=FRAMES,
)
