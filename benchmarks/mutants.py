"""Media damaged at random: flipped bits, cuts, spliced headers, overwritten stretches.

python -m benchmarks.mutants 1000 FOLDER
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.matrix import CASES, make

SEEDS = [
    "x264_aac.mp4", "x265_opus.mkv", "vpx-vp9_opus.webm", "svtav1_opus.mp4", "mpeg4_mp3lame.avi",
    "x264_aac.flv", "mpeg2video_mp2.ts", "mpeg2video_mp2.mpg", "theora_vorbis.ogv", "mjpeg_pcm_s16le.mov",
    "wmv2_wmav2.wmv", "edit_list.mp4", "fragmented.mp4", "aac.aac", "mp3.mp3", "flac.flac", "opus.opus",
    "wav.wav", "h264.h264",
]  # fmt: skip


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
    sources.mkdir(parents=True, exist_ok=True)
    originals = [make(case, sources) for case in CASES if case.name in SEEDS]
    paths = []
    for number, (which, data) in enumerate(mutants([path.read_bytes() for path in originals], count, seed)):
        path = folder / f"{number:04d}{originals[which].suffix}"
        path.write_bytes(data)
        paths.append(path)
    return paths


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    write_mutants(arguments.folder, arguments.count)


if __name__ == "__main__":
    main()
