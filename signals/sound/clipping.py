"""How much of the sound was cut off at full scale."""

from __future__ import annotations

import numpy as np

from signals.signal import NOTHING, Measured, Signal, Sound

FULL = 0.99  # resampling leaves a clipped wave's flat top within 1 % of full scale, but for its edges
SHORTEST = 3  # samples; a sound wave that just touches full scale does not stay there


def _clipping(sound: Sound) -> Measured:
    if not sound.heard.size:
        return NOTHING
    full = np.abs(sound.heard) >= FULL
    edges = np.flatnonzero(np.diff(np.concatenate([[False], full, [False]]).astype(np.int8)))
    lengths = edges[1::2] - edges[::2]
    return Measured(float(lengths[lengths >= SHORTEST].sum()) / full.size)


SIGNAL = Signal(
    name="clipping_share",
    unit="share of the samples",
    resolution="the span",
    tolerance="0.05 for tones clipped at 48 kHz; a clean tone at full scale below 200 Hz reads up to 0.09",
    source="samples in runs of three or more at or past 0.99 of full scale",
    of_sound=_clipping,
)
