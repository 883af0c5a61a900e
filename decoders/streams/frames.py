"""The prepared pictures of one span, each held once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from schemas.grid import Grid
from schemas.media import DecodedFrames
from schemas.reasons import MediaError, Reason

Prepared = Mapping[str, "npt.NDArray[np.generic] | bytes"]


class FrameCollector:
    """Collects a span's frames in order of time."""

    def __init__(self, grid: Grid, steps: int | None = None) -> None:
        """`steps`: how many frames are wanted, where not one a step of the grid."""
        self.grid = grid
        steps = grid.steps if steps is None else steps
        self._frame_of_step = np.full(steps, -1, np.int32)
        self._pts_ns = np.full(steps, -1, np.int64)
        self._prepared: list[Prepared] = []
        self._last: Prepared | None = None

    def add(self, step: int, pts_ns: int, prepared: Prepared) -> None:
        """One step's frame; the same `prepared` object again is the same frame."""
        if prepared is not self._last:
            self._prepared.append(prepared)
            self._last = prepared
        self._frame_of_step[step] = len(self._prepared) - 1
        self._pts_ns[step] = pts_ns

    def finish(self) -> DecodedFrames:
        """What was collected.

        Raises:
            MediaError: corrupt; a transform gave arrays of different shapes.
        """
        names = self._prepared[0].keys() if self._prepared else ()
        columns = {name: _column([prepared[name] for prepared in self._prepared]) for name in names}
        return DecodedFrames(self._frame_of_step, self._pts_ns, columns)


def _column(values: list[npt.NDArray[np.generic] | bytes]) -> npt.NDArray[np.generic] | list[bytes]:
    arrays = [value for value in values if not isinstance(value, bytes)]
    if not arrays:
        return [value for value in values if isinstance(value, bytes)]
    if len({array.shape for array in arrays}) > 1:
        raise MediaError(Reason.CORRUPT, "the pictures change their size on the way")
    return np.stack(arrays)
