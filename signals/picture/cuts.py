"""Where one shot ends and the next begins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from schemas.grid import STEP_NS, ns_to_seconds
from signals.picture.difference import differences, histograms
from signals.picture.small import FRAMES, NAME
from signals.signal import NOTHING, Kind, Measured, Pictures, Signal

LEAST = 15 / 255  # a change that could be a cut at all (PySceneDetect's adaptive detector: min_content_val)
TIMES = 2.0  # as large as the changes around it: a pan changes every step, a cut one
AROUND = 2  # steps on either side
OTHER = 0.25  # of the pixels are of another brightness, or
MUCH = 40 / 255  # the change is large whatever the brightnesses are


def cut_steps(pictures: Pictures) -> npt.NDArray[np.int64]:
    """int64 [cuts]: the steps that begin with another shot than the step before."""
    changes = differences(pictures)
    shares = histograms(pictures.made[NAME])
    found = []
    for step in np.flatnonzero(np.nan_to_num(changes) >= LEAST).tolist():
        around = np.concatenate(
            [changes[max(step - AROUND, 0) : step], changes[step + 1 : step + 1 + AROUND]]
        )
        around = around[~np.isnan(around)]
        if around.size and changes[step] < TIMES * np.median(around):
            continue
        before, now = pictures.frame_of_step[step - 1], pictures.frame_of_step[step]
        other = np.abs(shares[now] - shares[before]).sum() / 2
        if other >= OTHER or changes[step] >= MUCH:
            found.append(step)
    return np.array(found, np.int64)


def _cuts(pictures: Pictures) -> Measured:
    if pictures.still or not pictures.seen.size:
        return NOTHING
    step_s = ns_to_seconds(STEP_NS)
    return Measured([pictures.start_s + step * step_s for step in cut_steps(pictures).tolist()])


SIGNAL = Signal(
    name="cuts",
    unit="seconds of the media's own time; null for a still image",
    resolution="0.5 s",
    tolerance="one step; precision and recall 0.95 on hard cuts between photographs that move",
    source="luma and its histogram from frame to frame of the grid, against the changes around "
    "(after PySceneDetect's adaptive detector)",
    kind=Kind.TIMES,
    of_pictures=_cuts,
    frames=FRAMES,
)
