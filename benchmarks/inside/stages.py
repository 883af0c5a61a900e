"""Where a build's time goes: its pipeline's thread looked at every few milliseconds, a look a stage.

    python -m benchmarks.inside.stages VIDEO... [--clip vit-b-32 --whisper tiny] [--write docs/stages.md]

The stages add up to the build's wall time but for what passes before the first look and after the last; the
table says how much. Decoding, colour and resizing run in processes of their own beside it: "waiting for the
decoder" is what the pipeline spends without anything to encode, and their CPU seconds stand below the table.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import resource
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

EVERY_S = 0.005
_MAIN = threading.main_thread().ident or 0
_PR_SET_CHILD_SUBREAPER = 36  # Linux
# A look belongs to the first stage of which a function is on the stack: (part of a path, function or any).
STAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "log-mel": (("whisper/log_mel.py", ""),),
    "weights": (("featurizers/registry.py", "load"), ("running/model_handler.py", "get")),
    "encoder, pictures": (("vision/encoder.py", ""), ("vision/tower.py", "")),
    "encoder, sound": (("whisper/encoder.py", ""),),
    "flac and jpeg": (("pipelines/keep.py", ""),),
    "npy and tar": (("schemas/shard.py", ""),),
    "hashing": (("schemas/digest.py", ""), ("storage/fetch.py", "sha256")),
    "cache": (("storage/cache.py", ""),),
    "tables and states": (("pipelines/states/", ""), ("pipelines/settle.py", "")),
    "waiting for the decoder": (("processes/pool.py", "_take"), ("processes/shared_pool.py", "")),
    "from the decoder (IPC)": (("processes/wire.py", ""), ("processes/shared_memory.py", "")),
    "our other steps": (("/pipelines/", ""),),
    "Beam": (("apache_beam", ""),),
}


class Looks:
    """Counts, in a thread of its own, what the busiest thread of the pipeline does."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.began = self.ended = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """While the block runs."""
        self.began = time.perf_counter()
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()
            self.ended = time.perf_counter()

    def _run(self) -> None:
        last = time.perf_counter()
        while not self._stop.wait(EVERY_S):
            frames = dict(_others())
            name = _most_telling([stage(frame) for frame in frames.values()])
            now = time.perf_counter()
            self.counts[name or _around(frames.get(_MAIN))] += round(1e6 * (now - last))
            last = now


def _others() -> list[tuple[int, FrameType]]:
    own = threading.get_ident()
    return [(ident, frame) for ident, frame in sys._current_frames().items() if ident != own]


def stage(frame: FrameType | None) -> str:
    """The first of STAGES on a thread's stack; empty for none."""
    seen: list[tuple[str, str]] = []
    while frame is not None:
        seen.append((frame.f_code.co_filename, frame.f_code.co_name))
        frame = frame.f_back
    if not any("bundle_processor.py" in name for name, _ in seen):
        return ""  # not a thread in which elements are processed
    for name, places in STAGES.items():
        for file, function in places:
            if any(file in path and function in ("", called) for path, called in seen):
                return name
    return ""


def _most_telling(stages: list[str]) -> str:
    """Work before waiting, waiting before nothing."""
    order = list(STAGES)
    found = sorted(order.index(name) for name in stages if name)
    waiting = order.index("waiting for the decoder")
    working = [place for place in found if place != waiting]
    if working and (waiting not in found or order[working[0]] not in ("our other steps", "Beam")):
        return order[working[0]]
    return order[waiting] if waiting in found else ""


def _around(frame: FrameType | None) -> str:
    """What the main thread does while no element is processed."""
    files = set()
    while frame is not None:
        files.add(frame.f_code.co_filename)
        frame = frame.f_back
    if any("importlib" in name for name in files):
        return "imports"
    return "Beam around the steps" if any("apache_beam" in name for name in files) else "the command"


def table(looks: Looks) -> Iterator[str]:
    """Markdown: seconds and shares by stage, and the sum beside the wall."""
    wall, total = looks.ended - looks.began, sum(looks.counts.values()) / 1e6
    yield "| stage | s | share |\n| --- | ---: | ---: |\n"
    for name, micro in looks.counts.most_common():
        yield f"| {name} | {micro / 1e6:.2f} | {micro / 1e6 / wall:.3f} |\n"
    yield f"| sum | {total:.2f} | {total / wall:.3f} |\n| wall | {wall:.2f} | 1.000 |\n"


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--clip", default="vit-b-32")
    parser.add_argument("--whisper", default="tiny")
    parser.add_argument("--write", type=Path, metavar="PAGE")
    arguments = parser.parse_args()
    from decoders.processes.zygote import ZYGOTE
    from pipelines.commands.command import main as favor_data

    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    looks = Looks()
    with tempfile.TemporaryDirectory(prefix="favor-data-bench-") as folder:
        command = ["build", *arguments.videos, "--output", f"{folder}/corpus"]
        command += ["--clip", f"random:{arguments.clip}", "--whisper", f"random:{arguments.whisper}"]
        with looks.looking():
            status = favor_data(command)
    assert status == 0
    ZYGOTE._stop()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()  # the decoders, for their CPU time
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    lines = [
        f"# Where a build's time goes\n\n`python -m benchmarks.inside.stages`, {arguments.clip} and "
        f"{arguments.whisper}, {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}.\n\n",
        *table(looks),
        f"\nCPU seconds: {own.ru_utime + own.ru_stime:.1f} in this process, "
        f"{children.ru_utime + children.ru_stime:.1f} in those that have ended (decoding, colour, size).\n",
    ]
    print("".join(lines))
    if arguments.write:
        arguments.write.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
