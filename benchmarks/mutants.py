"""A build over media damaged at random: flipped bits, cuts, spliced headers, overwritten stretches.

    python -m benchmarks.mutants --count 1000 --seed 0

Ends with 1 if an input is missing in the ledger, a decoder crashed or hung, or verify finds a fault.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.growth import command
from benchmarks.matrix import CASES, make
from benchmarks.progress import told

SEEDS = [
    "x264_aac.mp4", "x265_opus.mkv", "vpx-vp9_opus.webm", "svtav1_opus.mp4", "mpeg4_mp3lame.avi",
    "x264_aac.flv", "mpeg2video_mp2.ts", "mpeg2video_mp2.mpg", "theora_vorbis.ogv", "mjpeg_pcm_s16le.mov",
    "wmv2_wmav2.wmv", "edit_list.mp4", "fragmented.mp4", "aac.aac", "mp3.mp3", "flac.flac", "opus.opus",
    "wav.wav", "h264.h264", "animation.gif",
]  # fmt: skip
UNWANTED = ("decoder_crashed", "timed_out")


def mutants(originals: list[bytes], count: int, seed: int = 0) -> Iterator[tuple[int, bytes]]:
    """`count` damaged files: which original each was, and its bytes."""
    generator = np.random.default_rng(seed)
    for number in range(count):
        which = int(generator.integers(len(originals)))
        data = np.frombuffer(originals[which], np.uint8).copy()
        kind = number % 5
        if kind == 0:  # bits anywhere
            places = generator.integers(0, data.size, generator.integers(1, 200))
            data[places] ^= 1 << generator.integers(0, 8, places.size).astype(np.uint8)
        elif kind == 1:  # bits in the header
            places = generator.integers(0, min(data.size, 4096), generator.integers(1, 40))
            data[places] ^= 1 << generator.integers(0, 8, places.size).astype(np.uint8)
        elif kind == 2:  # cut short
            data = data[: generator.integers(1, data.size)]
        elif kind == 3:  # another file's header
            other = np.frombuffer(originals[int(generator.integers(len(originals)))], np.uint8)
            size = int(generator.integers(16, 4096))
            data = np.concatenate([other[:size], data[min(size, data.size) :]])
        else:  # a stretch of noise
            start = int(generator.integers(0, data.size))
            stretch = data[start : start + int(generator.integers(1, 5000))]
            stretch[:] = generator.integers(0, 256, stretch.size)
        yield which, data.tobytes()


def write_mutants(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """Make the originals and write `count` mutants of them."""
    sources = folder / "originals"
    sources.mkdir(parents=True)
    cases = [case for case in CASES if case.name in SEEDS]
    originals = [make(case, sources) for case in told("original", cases, lambda case: case.name)]
    paths = []
    for number, (which, data) in enumerate(mutants([path.read_bytes() for path in originals], count, seed)):
        path = folder / f"{number:04d}{originals[which].suffix}"
        path.write_bytes(data)
        paths.append(path)
    return paths


def build(folder: Path, output: Path) -> float:
    """Seconds of the whole command."""
    start = time.perf_counter()
    models = ["--clip", "random:vit-b-32", "--clip-tokens", "cls", "--whisper", "none"]
    subprocess.run(command(folder, output, *models), check=True)
    return time.perf_counter() - start


def judge(folder: Path, output: Path) -> list[str]:
    """What went wrong; prints how many inputs ended how."""
    rows = pq.read_table(output / "ledger.parquet").to_pylist()
    ends = Counter(row["reason"] or row["status"] for row in rows)
    print(", ".join(f"{count} {end}" for end, count in ends.most_common()))
    named = {Path(row["input"]).resolve() for row in rows}
    faults = [f"not in the ledger: {path}" for path in sorted(folder.rglob("*.*")) if path not in named]
    faults += [f"{count} {reason}" for reason in UNWANTED if (count := ends[reason])]
    if subprocess.run([sys.executable, "-m", "pipelines", "verify", str(output)], check=False).returncode:
        faults.append("verify finds faults")
    return faults


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="favor-data-mutants-") as temporary:
        folder, output = Path(temporary).resolve() / "in", Path(temporary) / "out"
        write_mutants(folder, arguments.count, arguments.seed)
        seconds = build(folder, output)
        faults = judge(folder, output)
    print(f"{arguments.count} damaged files and their originals: built in {seconds:.0f} s")
    raise SystemExit("\n".join(faults) if faults else 0)


if __name__ == "__main__":
    main()
