"""How far a build on this machine is: a bar of one line on a terminal, a line now and then in a log.

It reads what the workers append (pipelines/metrics/progress.py).
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from tqdm import tqdm

from pipelines.metrics.progress import Progress

_REFRESH_S, _REFRESH_LOG_S = 0.5, 10.0  # on a terminal, in a log
_BEFORE = "{desc} [{elapsed}]{postfix}"
_BAR = "{desc} {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s [{elapsed}<{remaining}{postfix}]"


class ProgressBar:
    """Context manager: media-seconds done of those planned, how many times real time, minutes left, rejected
    inputs, and what is waited for, while the block runs."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._offset = 0
        self._told = {"planned": 0.0, "done": 0.0, "rejected": 0.0}
        self._shown = sys.stderr.isatty()
        self._began = self._encoding_since = time.monotonic()

    def __enter__(self) -> ProgressBar:
        self._bar = tqdm(
            desc=self.waits_for(), bar_format=_BEFORE, dynamic_ncols=True, disable=not self._shown
        )
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._bar.close()
        if error is not None and self._told["planned"]:
            error.add_note("{done:.0f} of {planned:.0f} media-seconds are done".format(**self._told))

    def waits_for(self) -> str:
        """In a few words."""
        if not self._told["planned"]:
            return "looking at sources"
        return "encoding" if self._told["done"] else "decoding; encoders load"

    def line(self) -> str:
        """For a log."""
        planned, done, lasted = self._told["planned"], self._told["done"], time.monotonic() - self._began
        said = f"favor-data: {self.waits_for()}, {lasted:.0f} s"
        if planned:
            said += f": {100 * done / planned:.0f} %, {done:.0f} of {planned:.0f} media-seconds"
        if done:
            left = (planned - done) / done * (time.monotonic() - self._encoding_since)
            said += f", about {left / 60:.0f} min left" if left >= 60 else f", about {left:.0f} s left"
        return said + self._beside()

    def _beside(self) -> str:
        """Speed and rejections."""
        spent = time.monotonic() - self._encoding_since
        speed = f", {self._told['done'] / spent:.1f}x" if self._told["done"] and spent > 1 else ""
        rejected = f", {self._told['rejected']:.0f} rejected" if self._told["rejected"] else ""
        return speed + rejected

    def _watch(self) -> None:
        while not self._stop.wait(_REFRESH_S if self._shown else _REFRESH_LOG_S):
            self._read()
            self._show()
        self._read()
        self._show()

    def _show(self) -> None:
        if not self._shown:
            print(self.line(), file=sys.stderr, flush=True)
            return
        self._bar.set_description_str(self.waits_for(), refresh=False)
        self._bar.postfix = self._beside().removeprefix(", ")
        if self._told["planned"]:
            self._bar.bar_format, self._bar.total = _BAR, self._told["planned"]
        self._bar.n = min(round(self._told["done"], 1), self._told["planned"])
        self._bar.refresh()

    def _read(self) -> None:
        before = self._told["planned"]
        with Path(self._progress.path or os.devnull).open() as stream:
            stream.seek(self._offset)
            for line in stream:
                if not line.endswith("\n"):
                    break
                self._offset += len(line)
                what, seconds = line.split()
                self._told[what] += float(seconds)
        if not before and self._told["planned"]:
            self._encoding_since = time.monotonic()
