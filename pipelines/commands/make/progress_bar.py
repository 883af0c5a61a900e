"""How far a build on this machine is: a bar of one line on a terminal, a line now and then in a log.

It reads what the workers append (pipelines/metrics/progress.py).
"""

from __future__ import annotations

import sys
import threading

from tqdm import tqdm

from pipelines.metrics.progress import Appended, Progress
from pipelines.metrics.so_far import Watch

_REFRESH_S, _REFRESH_LOG_S = 0.5, 5.0  # on a terminal, in a log
_BEFORE = "{desc} [{elapsed}]{postfix}"
_BAR = "{desc} {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s [{elapsed}<{remaining}{postfix}]"


class ProgressBar:
    """Context manager: media-seconds done of those planned, how many times real time, minutes left, rejected
    inputs, and what is waited for, while the block runs."""

    def __init__(self, progress: Progress) -> None:
        self._watched = Watch(Appended(progress).sums)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._shown = sys.stderr.isatty()

    def __enter__(self) -> ProgressBar:
        self._bar = tqdm(
            desc=self._watched.so_far.waits_for,
            bar_format=_BEFORE,
            dynamic_ncols=True,
            disable=not self._shown,
        )
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._bar.close()
        so_far = self._watched.so_far
        if error is not None and so_far.planned:
            error.add_note(f"{so_far.done:.0f} of {so_far.planned:.0f} media-seconds are done")

    def _watch(self) -> None:
        while not self._stop.wait(_REFRESH_S if self._shown else _REFRESH_LOG_S):
            self._show()
        self._show()

    def _show(self) -> None:
        so_far = self._watched.look()
        if not self._shown:
            print(f"favor-data: {so_far.line}", file=sys.stderr, flush=True)
            return
        self._bar.set_description_str(so_far.waits_for, refresh=False)
        self._bar.postfix = so_far.beside.removeprefix(", ")
        if so_far.planned:
            self._bar.bar_format, self._bar.total = _BAR, so_far.planned
        self._bar.n = min(round(so_far.done, 1), so_far.planned)
        self._bar.refresh()
