"""Where one shot ends and the next begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.grid import STEP_NS, ns_to_seconds
from signals.picture.difference import differences, histograms
from signals.picture.small import FRAMES, NAME
from signals.signal import NOTHING, Film, Kind, Measured, Pictures, Signal

LEAST = 15 / 255  # a change that could be a cut at all (PySceneDetect's adaptive detector: min_content_val)
TIMES = 2.0  # as large as the changes around it: a pan changes every step, a cut one
AROUND = 2  # steps on either side
OTHER = 0.25  # of the pixels are of another brightness, or
MUCH = 40 / 255  # the change is large whatever the brightnesses are


@dataclass(frozen=True)
class Changes:
    """What is other than in the step before, float64 [steps] each: `luma` as signals.picture.difference has
    it, `brightnesses`: the share of the pixels that have another one."""

    luma: npt.NDArray[np.float64]
    brightnesses: npt.NDArray[np.float64]


def changes(pictures: Pictures) -> Changes:
    """Of a span, or of a part of it that begins with the step before."""
    luma = differences(pictures)
    shares = histograms(pictures.made[NAME])
    other = np.zeros(luma.size)
    for step in np.flatnonzero(np.nan_to_num(luma) >= LEAST).tolist():
        before, now = pictures.frame_of_step[step - 1], pictures.frame_of_step[step]
        other[step] = np.abs(shares[now] - shares[before]).sum() / 2
    return Changes(luma, other)


def cut_steps(found: Changes, reach: int = AROUND) -> npt.NDArray[np.int64]:
    """int64 [cuts]: the steps that begin with another shot than the step before; `reach`: of what lies around
    it on either side."""
    luma, steps = found.luma, []
    for step in np.flatnonzero(np.nan_to_num(luma) >= LEAST).tolist():
        around = np.concatenate([luma[max(step - reach, 0) : step], luma[step + 1 : step + 1 + reach]])
        around = around[~np.isnan(around)]
        if around.size and luma[step] < TIMES * np.median(around):
            continue
        if found.brightnesses[step] >= OTHER or luma[step] >= MUCH:
            steps.append(step)
    return np.array(steps, np.int64)


def _cuts(pictures: Pictures) -> Measured:
    if pictures.still or not pictures.seen.size:
        return NOTHING
    step_s = ns_to_seconds(STEP_NS)
    return Measured([pictures.start_s + step * step_s for step in cut_steps(changes(pictures)).tolist()])


def _cuts_of_film(film: Film) -> Measured:
    """Between frames, by the same rule: around it are the frames of half a second."""
    if len(film.frames) < 2:
        return NOTHING
    steps = np.arange(len(film.frames), dtype=np.int32)
    found = changes(Pictures(0.0, steps, {NAME: film.frames}))
    per_s = (len(film.frames) - 1) / max(film.times_s[-1] - film.times_s[0], 1e-3)
    times = film.times_s[cut_steps(found, max(AROUND, round(per_s / 2)))]
    return Measured([round(film.start_s + at, 3) for at in times.tolist() if at >= 0])


SIGNAL = Signal(
    name="cuts",
    unit="seconds of the media's own time; null for a still image",
    resolution="0.5 s; with full a frame",
    tolerance="one step; precision and recall 0.95 on hard cuts between photographs that move",
    source="luma and its histogram from frame to frame of the grid, against the changes around "
    "(after PySceneDetect's adaptive detector)",
    kind=Kind.TIMES,
    of_pictures=_cuts,
    of_film=_cuts_of_film,
    frames=FRAMES,
)
