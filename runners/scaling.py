"""`python -m runners.scaling`: two workers against one, where decoding is all the work.

A worker is a process on a core of its own. Two loops that do nothing but compute tell, between the builds,
what two cores of this machine are worth at the time: other work on it lowers both figures.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

import av

from runners.build import start
from runners.clips import render

DECODING = ["--whisper", "random:tiny", "--clip", "none", "--keep", "frames"]  # silent: nothing to encode
SPIN_S = 5.0


def main() -> int:
    """Exit status: 1 where a build failed."""
    parser = argparse.ArgumentParser(prog="python -m runners.scaling", description=__doc__)
    parser.add_argument("--clips", type=int, default=64, help="of 10 s, 1920 x 1080 (%(default)s)")
    asked = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        parser.error("this machine has one core")
    with tempfile.TemporaryDirectory(prefix="favor-data-scaling-") as name:
        folder = Path(name)
        (folder / "media").mkdir()
        render(folder / "clip.mp4", "libx264", None, (1920, 1080), 10.0, 0)
        for number in range(asked.clips):
            retitle(folder / "clip.mp4", folder / "media" / f"{number:03d}.mp4", str(number))
        seconds = []
        for workers in (1, 2):
            os.sched_setaffinity(0, cores[:workers])
            arguments = [
                *DECODING,
                "--direct_running_mode=multi_processing",
                f"--direct_num_workers={workers}",
            ]
            build = start(folder / "media", folder / str(workers), arguments)
            # On one core a C++ library sometimes aborts as the command exits, its corpus written.
            if build.wait(1800) and not (build.output / "corpus.json").exists():
                print(build.log.read_text())
                return 1
            seconds.append(decoding_seconds(build.output))
            print(f"runners: {workers} workers decoded for {seconds[-1]:.1f} s", flush=True)
        alone, together = spin(cores[:1]), spin(cores)
    print(f"runners: two workers are {seconds[0] / seconds[1]:.2f} times as fast as one; "
          f"two loops {together / alone:.2f} times as fast as one loop")  # fmt: skip
    return 0


def retitle(source: Path, target: Path, title: str) -> None:
    """The same packets in a file with another digest."""
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        writer.metadata["title"] = title
        stream = writer.add_stream_from_template(reader.streams.video[0])
        for packet in reader.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                writer.mux(packet)


def decoding_seconds(corpus: Path) -> float:
    """From the first clip's placement in the cache to the last's: start and end of the job not counted."""
    times = [path.stat().st_mtime for path in (corpus / "cache").glob("*/*.json")]
    return max(times) - min(times)


def spin(cores: list[int]) -> float:
    """Rounds of hashing in a fixed time, summed over one process a core."""
    with multiprocessing.get_context("spawn").Pool(len(cores)) as pool:
        return float(sum(pool.map(_rounds, cores, chunksize=1)))


def _rounds(core: int) -> int:
    os.sched_setaffinity(0, {core})
    block, rounds, deadline = bytes(1 << 16), 0, time.monotonic() + SPIN_S
    while time.monotonic() < deadline:
        hashlib.sha256(block).digest()
        rounds += 1
    return rounds


if __name__ == "__main__":
    sys.exit(main())
