"""What it costs to keep decoders from everything but decoding.

    python -m benchmarks.inside.isolation [FILE…] [--write docs/security.md]

Two pools in processes of their own, one with isolation and one without, decode the same files in turns, now
the one first and now the other; CPU seconds of each worker and its parent, compared turn by turn. Without
FILE: a minute of H.264 with sound, made here, and twenty clips of three seconds.
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
from benchmarks.lines import Line, write_into
from benchmarks.progress import told
from decoders.processes.isolation import SWITCH
from decoders.processes.pool import DecoderPool
from decoders.processes.process import isolation_of_workers
from decoders.processes.worker import DecodeJob
from schemas.grid import SECOND_NS, Grid, cut
from schemas.media import ClipRequest

BEGIN, END = (
    "<!-- isolation: python -m benchmarks.inside.isolation --write docs/security.md -->",
    "<!-- end -->",
)
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


def compare(name: str, decoder: str, paths: list[Path], rounds: int) -> Line:
    """Median of the turns' ratios of CPU seconds, with over without."""
    command = [sys.executable, "-m", "benchmarks.inside.isolation", "--serve", decoder]
    children = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, SWITCH: switch},
        )
        for switch in ("on", "off")
    ]  # fmt: skip
    spent: list[tuple[float, float]] = []
    for turn in told(f"{decoder}, {len(paths)} files, turn", range(rounds + 1)):
        seconds = {which: _turn(children[which], paths, not which) for which in (turn % 2, 1 - turn % 2)}
        if turn:  # the first one starts the processes
            spent.append((seconds[0], seconds[1]))
    for child in children:
        child.communicate()
    ratios = [on / off for on, off in spent]
    first, middle, third = statistics.quantiles(ratios, n=4)
    on, off = (statistics.median(column) for column in zip(*spent, strict=True))
    return Line(name, middle, f"half of the turns {first:.3f} to {third:.3f}; {on:.2f} s / {off:.2f} s")


def _turn(child: subprocess.Popen[str], paths: list[Path], isolated: bool) -> float:
    """CPU seconds."""
    assert child.stdin
    assert child.stdout
    child.stdin.write("\t".join(map(str, paths)) + "\n")
    child.stdin.flush()
    seconds, level = child.stdout.readline().split(maxsplit=1)
    assert (level.strip() != "off") == isolated, "isolation is not what it was asked to be"
    return float(seconds)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--decoder", choices=DECODERS, action="append")
    parser.add_argument("--write", type=Path, help="the page whose table it is")
    parser.add_argument("--serve", choices=DECODERS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for decoder in arguments.decoder or DECODERS:
            made = {} if arguments.files else media(Path(folder, decoder), decoder)
            for name, paths in {**made, **({"the given files": arguments.files} if not made else {})}.items():
                lines.append(compare(f"{decoder}, {name}", decoder, paths, arguments.rounds))
                print(lines[-1], flush=True)
    rows = [f"| {line.name} | {line.value:.3f} | {line.how} |" for line in lines]
    table = "\n".join(["| what | with / without | |", "|---|---:|---|", *rows])
    write_into(arguments.write, BEGIN, END, f"\n\n{table}\n\n")


if __name__ == "__main__":
    main()
