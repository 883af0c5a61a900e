"""What it costs to keep decoders from everything but decoding.

    python -m benchmarks.inside.isolation [FILE…]

Two pools in processes of their own, one with isolation and one without, decode the same files in turns;
CPU seconds of each worker and its parent. Without FILE: a minute of H.264 with sound, made here, and twenty
clips of three seconds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.flashes import ffmpeg
from benchmarks.lines import Line
from benchmarks.progress import told
from decoders.processes.isolation import SWITCH
from decoders.processes.pool import DecoderPool
from decoders.processes.process import isolation_of_workers
from decoders.processes.worker import DecodeJob
from schemas.grid import SECOND_NS, Grid, cut
from schemas.media import ClipRequest

DECODERS = ("pyav", "decord")


def media(folder: Path, decoder: str) -> dict[str, list[Path]]:
    """One long file (decord is refused a minute of 720p: it might hold all of it), many short ones."""
    folder.mkdir()
    size = "1280x720" if decoder == "pyav" else "640x360"
    source = ("-f", "lavfi", "-i", f"testsrc2=s={size}:r=30", "-f", "lavfi", "-i", "anoisesrc=a=0.1")
    settings = ("-c:v", "libx264", "-preset", "veryfast", "-bf", 2, "-c:a", "aac")
    long = folder / "long.mp4"
    ffmpeg(*source, "-t", 60, *settings, long)
    short = [folder / f"short{number}.mp4" for number in range(20)]
    for path in short:
        ffmpeg(*source, "-t", 3, *settings, path)
    return {f"a minute of {size}": [long], f"twenty clips of 3 s, {size}": short}


def serve(decoder: str) -> None:
    """Decode the files of each line; answer with CPU seconds."""
    with DecoderPool(1) as pool:
        for line in sys.stdin:
            paths = line.rstrip("\n").split("\t")
            before, began = _seconds(pool), time.process_time()
            for path in paths:
                info = pool.probe(path)
                grids = [Grid(span) for span in cut(info.duration_ns, 30 * SECOND_NS)]
                has = info.video is not None, info.audio is not None
                requests = tuple(ClipRequest(grid, *has) for grid in grids)
                for _ in pool.submit(DecodeJob(path, requests, {"rgb": np.copy}, decoder)):
                    pass
            [level] = {level for level, _ in isolation_of_workers}
            print(_seconds(pool) - before + time.process_time() - began, level, flush=True)


def _seconds(pool: DecoderPool) -> float:
    """CPU of the zygote and of its workers, those that ended too."""
    from decoders.processes.zygote import ZYGOTE

    spent = 0.0
    zygote = ZYGOTE._process.pid if ZYGOTE._process else None
    for pid in filter(None, (zygote, *(slot.process.pid for slot in pool._slots))):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        of_itself, of_ended = sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))
        spent += (of_itself + (of_ended if pid == zygote else 0)) / os.sysconf("SC_CLK_TCK")
    return spent


def compare(decoder: str, paths: list[Path], rounds: int) -> tuple[float, float]:
    """Medians of CPU seconds, with and without."""
    command = [sys.executable, "-m", "benchmarks.inside.isolation", "--serve", decoder]
    children = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, SWITCH: switch},
        )
        for switch in ("on", "off")
    ]  # fmt: skip
    spent: list[list[float]] = [[], []]
    for turn in told(f"{decoder}, {len(paths)} files, turn", range(rounds + 1)):
        for which, child in enumerate(children):
            assert child.stdin
            assert child.stdout
            child.stdin.write("\t".join(map(str, paths)) + "\n")
            child.stdin.flush()
            seconds, level = child.stdout.readline().split(maxsplit=1)
            assert (level.strip() != "off") == (not which), "isolation is not what it was asked to be"
            if turn:  # the first one starts the processes
                spent[which].append(float(seconds))
    for child in children:
        child.communicate()
    return statistics.median(spent[0]), statistics.median(spent[1])


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--decoder", choices=DECODERS, action="append")
    parser.add_argument("--serve", choices=DECODERS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return
    with tempfile.TemporaryDirectory() as folder:
        for decoder in arguments.decoder or DECODERS:
            made = {} if arguments.files else media(Path(folder, decoder), decoder)
            for name, paths in {**made, **({"the given files": arguments.files} if not made else {})}.items():
                print(
                    Line.ratio(
                        f"{decoder}, {name}: with / without", *compare(decoder, paths, arguments.rounds)
                    )
                )


if __name__ == "__main__":
    main()
