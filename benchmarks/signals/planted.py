"""`python -m benchmarks.signals.planted`: copies planted among clips that are all different.

Of every kind 20: the same bytes under another name, re-encoded at a quarter of the pixels and of the quality,
cropped by a tenth. What is found by bytes, by perceptual hash and by features, pair by pair.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import imageio_ffmpeg
import pyarrow.parquet as pq

from benchmarks.progress import say, told
from demo.make_media import MEDIA
from pipelines.commands.command import main as favor_data

KINDS = {
    "re-encoded": "scale=160:120",
    "cropped": "crop=0.9*iw:0.9*ih,scale=320:240",
}
Pair = frozenset[str]


def _ffmpeg(*arguments: str) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", *arguments]
    subprocess.run(command, check=True)


def scenes(distinct: int) -> Iterator[list[str]]:
    """Inputs and filters of so many different clips: parts of photographs, fractals, blends."""
    pictures = sorted((MEDIA / "pictures").glob("*.jpg"))
    for number in range(distinct):
        kind, at = number % 4, number // 4
        if kind == 0 and at < 12 * len(pictures):
            part, picture = divmod(at, len(pictures))
            column, row = part % 4, part // 4
            chain = f"scale=1640:1230,crop=320:240:x='{400 * column}+t*30':y={400 * row}"
            yield ["-loop", "1", "-framerate", "25", "-i", str(pictures[picture]), "-vf", chain]
        elif kind == 1:
            x, y = -0.745 + 0.011 * (at % 7), 0.11 + 0.013 * (at // 7)
            yield ["-f", "lavfi", "-i", f"mandelbrot=s=320x240:r=25:start_x={x}:start_y={y}:start_scale=0.02"]
        elif kind == 2:
            yield ["-f", "lavfi", "-i", f"life=s=80x60:r=25:seed={at}:ratio=0.2", "-vf", "scale=320:240"]
        else:
            chance = random.Random(7 + at)
            colours = ":".join(f"c{color}=0x{chance.randrange(1 << 24):06x}" for color in range(8))
            gradients = f"gradients=s=320x240:r=25:n=8:seed={7 + at}:speed=0.02:type={at % 4}"
            yield ["-f", "lavfi", "-i", f"{gradients}:{colours}"]  # left to FFmpeg, they differ every time


def plant(media: Path, distinct: int, each: int) -> set[Pair]:
    """The clips; the pairs of them that are copies of one another."""
    media.mkdir()
    names = []
    for number, scene in enumerate(told("clip to make", scenes(distinct))):
        names.append(f"clip{number:03d}")
        _ffmpeg(*scene, "-t", "2", "-pix_fmt", "yuv420p", str(media / f"{names[-1]}.mp4"))
    pairs = set()
    for number in told("copies to make", range(each)):
        one, two, three = names[3 * number : 3 * number + 3]
        shutil.copy(media / f"{one}.mp4", media / f"copy_of_{one}.mp4")
        for other, chain in zip((two, three), KINDS.values(), strict=True):
            made = media / f"copy_of_{other}.mp4"
            _ffmpeg(
                "-i",
                str(media / f"{other}.mp4"),
                "-vf",
                chain,
                "-crf",
                "32",
                "-pix_fmt",
                "yuv420p",
                str(made),
            )
        pairs |= {Pair((name, f"copy_of_{name}")) for name in (one, two, three)}
    return pairs


def found(corpus: Path) -> dict[str, set[Pair]]:
    """Method -> pairs that stand in one group."""
    names = dict.fromkeys(pq.read_table(corpus / "index.parquet")["key"].to_pylist(), "")
    for row in pq.read_table(corpus / "index.parquet", columns=["key", "id"]).to_pylist():
        names[row["key"]] = Path(row["id"]).stem
    groups: dict[tuple[str, int], list[str]] = {}
    for row in pq.read_table(corpus / "duplicates.parquet").to_pylist():
        groups.setdefault((row["method"], row["group"]), []).append(names[row["key"]])
    pairs: dict[str, set[Pair]] = {"bytes": set(), "phash": set(), "clip": set()}
    for (method, _), members in groups.items():
        pairs[method] |= {Pair(pair) for pair in combinations(members, 2)}
    return pairs


def lines(folder: Path, distinct: int, each: int, clip: str) -> Iterator[tuple[str, int, int, int]]:
    """Method, pairs planted that it found, pairs planted, pairs that it invented."""
    planted = plant(folder / "media", distinct, each)
    corpus = folder / "out"
    build = ["build", str(folder / "media"), "--output", str(corpus), "--whisper", "none", "--clip", clip]
    say("a build of them")
    if favor_data([*build, "--clip-tokens", "cls", "--signals", "--quiet"]) or favor_data(
        ["duplicates", str(corpus)]
    ):
        raise RuntimeError("the corpus was not built")
    for method, pairs in found(corpus).items():
        yield method, len(pairs & planted), len(planted), len(pairs - planted)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.signals.planted", description=__doc__)
    parser.add_argument("--distinct", type=int, default=200)
    parser.add_argument("--each", type=int, default=20, help="copies of each kind")
    parser.add_argument("--clip", default="random:vit-b-32")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = list(lines(Path(folder), given.distinct, given.each, given.clip))
    print(f"features of {given.clip}\n\n| method | recall | precision | invented |\n|---|---:|---:|---:|")
    for method, right, planted, invented in table:
        precision = f"{right / (right + invented):.3f}" if right + invented else ""
        print(f"| {method} | {right / planted:.3f} | {precision} | {invented} |")


if __name__ == "__main__":
    main()
