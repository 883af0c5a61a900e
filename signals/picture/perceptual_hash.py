"""What the pictures look like, in few bits: those of copies differ little, whatever their codec and size."""

from __future__ import annotations

import numpy as np

from signals.picture.small import FRAMES, NAME
from signals.signal import NOTHING, Kind, Measured, Pictures, Signal

PLACES = (0.25, 0.75)  # of the steps that have a frame
LEAST_QUALITY = 50  # PDQ's own: a featureless picture's hash says nothing


def _hashes(pictures: Pictures) -> Measured:
    import pdqhash  # not on every machine that measures sound

    seen = pictures.frame_of_step[pictures.seen]
    if not seen.size:
        return NOTHING
    rows = [int(seen[0])] if pictures.still else [int(seen[int(place * seen.size)]) for place in PLACES]
    found = []
    for row in rows:
        bits, quality = pdqhash.compute(np.repeat(pictures.made[NAME][row][..., None], 3, axis=2))
        if quality < LEAST_QUALITY:
            return NOTHING
        found.append(np.packbits(bits).tobytes().hex())
    return Measured("".join(found))


SIGNAL = Signal(
    name="phash",
    unit="256 bits a picture in hexadecimal, of the frames at a quarter and three quarters; a still image "
    "has one; null where they are featureless (quality below 50)",
    resolution="128 by 128 pixels of luma",
    tolerance="31 bits of 256 between a picture and its copy re-encoded or made smaller, PDQ's own bound",
    source="PDQ: The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm, Facebook 2019, "
    "by its package pdqhash",
    kind=Kind.TEXT,
    of_pictures=_hashes,
    frames=FRAMES,
)
