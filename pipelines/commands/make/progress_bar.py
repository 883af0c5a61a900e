"""The bar of a build on this machine: it reads what the workers append (pipelines/metrics/progress.py)."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from tqdm import tqdm

from pipelines.metrics.progress import Progress

_REFRESH_S, _REFRESH_LOG_S = 0.5, 30.0  # on a terminal, in a log
_BEFORE = "{desc} [{elapsed}]"
_BAR = (
    "{desc} {percentage:3.0f}%|{bar}| {n:.0f} of {total:.0f} media-seconds "
    "[{elapsed}<{remaining}, {rate_noinv_fmt}]"
)


class ProgressBar:
    """Context manager: a bar in media-seconds, with rate and ETA, while the block runs."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._offset = 0
        self._seconds = {"planned": 0.0, "done": 0.0}

    def __enter__(self) -> ProgressBar:
        self._bar = tqdm(desc="looking at sources", bar_format=_BEFORE, dynamic_ncols=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._bar.close()
        if error is not None and self._seconds["planned"]:
            error.add_note("{done:.0f} of {planned:.0f} media-seconds are done".format(**self._seconds))

    def _watch(self) -> None:
        while not self._stop.wait(_REFRESH_S if sys.stderr.isatty() else _REFRESH_LOG_S):
            self._read()
        self._read()

    def _read(self) -> None:
        with Path(self._progress.path or os.devnull).open() as stream:
            stream.seek(self._offset)
            for line in stream:
                if not line.endswith("\n"):
                    break
                self._offset += len(line)
                what, seconds = line.split()
                self._seconds[what] += float(seconds)
        if self._seconds["planned"]:
            self._bar.set_description_str("decoding and encoding", refresh=False)
            self._bar.bar_format, self._bar.unit = _BAR, " media-s"
            self._bar.total = self._seconds["planned"]
        self._bar.n = min(round(self._seconds["done"], 1), self._seconds["planned"])
        self._bar.refresh()
