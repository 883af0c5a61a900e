"""What a corpus weighs, and what a change of it writes: bytes under OUT, counted file by file.

python -m benchmarks.storage.written [--gigabytes 2] [--write docs/format.md]

The medium is one silent film of slides, cut every 30 s; the encoders are CLIPs of true structure with one
layer of random weights, so that nearly all of the work is the writing of features, and nothing of what is
counted depends on what they mean. `left`: files that are there after the command and were not there so
before (another digest, another place); `peak`: the most bytes under OUT while it ran, looked at ten times a
second. What a build puts into its cache and deletes again is in `peak` and not in `left`; so is a shard while
its features are still in the cache too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

from benchmarks.lines import write_into
from benchmarks.progress import say
from pipelines.commands.command import main as command

CLIP_SECONDS = 30
SHARD = "100MB"  # what is in flight while one is written
TABLES = ("index.parquet", "ledger.parquet", "conversations.parquet", "corpus.json")
BEGIN, END = "<!-- written -->\n", "<!-- end of written -->\n"


@dataclass(frozen=True)
class Weights:
    """An encoder that is all output: `tokens` patches of `width` float16 a frame."""

    side: int = 224
    patch: int = 14
    width: int = 512

    @property
    def bytes_a_second(self) -> int:
        """Two frames a second."""
        return 2 * 2 * (self.side // self.patch) ** 2 * self.width

    def save(self, folder: Path, seed: int) -> str:
        """Returns what `--clip` takes."""
        torch.manual_seed(seed)
        config = CLIPVisionConfig(
            hidden_size=self.width,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=1,
            image_size=self.side,
            patch_size=self.patch,
        )
        CLIPVisionModel(config).save_pretrained(folder)
        return str(folder)


BASE, SECOND = Weights(), Weights(width=128)


@dataclass(frozen=True)
class Change:
    """What one command did to a corpus, in bytes; `own`: of the layers that it made."""

    name: str
    left: dict[str, int]
    own: int
    under: int
    shards: int
    tables: int
    peak: int
    base_shards_changed: int

    @property
    def written(self) -> int:
        return sum(self.left.values())

    @property
    def weight(self) -> float:
        """Bytes under OUT over those of its shards and tables."""
        return self.under / (self.shards + self.tables)


def measure(folder: Path, total: int) -> Iterator[Change]:
    """First build, a second encoder, a corrected answer; about `total` bytes of features."""
    seconds = max(CLIP_SECONDS, round(total / BASE.bytes_a_second / CLIP_SECONDS) * CLIP_SECONDS)
    write_film(folder / "film.mp4", seconds)
    base, second = BASE.save(folder / "base", 0), SECOND.save(folder / "second", 1)
    out, rows = folder / "out", folder / "rows.jsonl"
    said = {start: "a slide" for start in range(0, seconds, CLIP_SECONDS)}

    def build(*more: str) -> None:
        write_rows(rows, said)
        options = ["--whisper", "none", "--clip", base, "--device", "cpu", "--dtype", "float32"]
        options += ["--shard-size", SHARD]
        if command(["build", str(rows), "--output", str(out), *options, *more]):
            raise SystemExit("the build failed")

    yield changed("the first build", out, build, own=("shards", "columns"))
    added = ["--encode", f"second=clip:{second}"]
    yield changed("a second encoder", out, lambda: build(*added), own=("columns/second",))
    said[0] = "the first slide"
    yield changed("a corrected answer", out, lambda: build(*added), own=("columns/annotations",))


def changed(name: str, out: Path, run: Callable[[], None], own: tuple[str, ...]) -> Change:
    """Runs a command and counts."""
    say(name)
    before = digests(out)
    with watched(out) as most:
        run()
    after = digests(out)
    sizes = {path: (out / path).stat().st_size for path in after}
    left = {path: sizes[path] for path, digest in after.items() if before.get(path) != digest}
    layers = [size for path, size in sizes.items() if path.startswith(("shards/", "columns/"))]
    return Change(
        name=name,
        left=left,
        own=sum(size for path, size in left.items() if path.startswith(tuple(f"{place}/" for place in own))),
        under=sum(sizes.values()),
        shards=sum(layers),
        tables=sum(sizes[table] for table in TABLES)
        + sum(size for path, size in sizes.items() if path.startswith("tables/")),
        peak=max(most),
        base_shards_changed=sum(
            after.get(path) != digest for path, digest in before.items() if path.startswith("shards/")
        ),
    )


def digests(out: Path) -> dict[str, str]:
    """Path -> SHA-256, hex, of every file."""
    found = {}
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            found[str(path.relative_to(out))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


@contextmanager
def watched(out: Path) -> Iterator[list[int]]:
    """Bytes under a folder, looked at ten times a second."""
    seen, done = [0], threading.Event()

    def look() -> None:
        while not done.wait(0.1):
            total = 0
            for path in out.rglob("*"):
                with suppress(OSError):
                    total += path.stat().st_size if path.is_file() else 0
            seen.append(total)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def write_film(path: Path, seconds: int) -> None:
    """Silent slides, one in ten seconds: each is encoded once and held."""
    scene = f"testsrc2=size=64x64:rate=1/10:duration={seconds}"
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", scene]
    subprocess.run([*ffmpeg, "-c:v", "libx264", "-preset", "ultrafast", str(path)], check=True)


def write_rows(path: Path, said: dict[int, str]) -> None:
    """A row an answer, of 30 s of the film each."""
    rows = (
        {
            "id": f"slide {start:06d}",
            "video": "film.mp4",
            "start": start,
            "end": start + CLIP_SECONDS,
            "conversations": [{"from": "human", "value": "what?"}, {"from": "gpt", "value": answer}],
        }
        for start, answer in said.items()
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def table(changes: list[Change]) -> str:
    """Markdown."""
    lines = [
        "| change | left, bytes | of it its own | left / own | base shards changed | "
        "bytes under OUT / shards and tables | peak / bytes under OUT afterwards |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    lines += [
        f"| {c.name} | {c.written:,} | {c.own:,} | {c.written / c.own:.4f} | {c.base_shards_changed} "
        f"| {c.weight:.4f} | {c.peak / c.under:.2f} |"
        for c in changes
    ]
    edit = ", ".join(f"{path} ({size:,})" for path, size in changes[-1].left.items())
    lines += ["", f"A corrected answer left {edit}."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Prints the table, and writes it into a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=2)
    parser.add_argument("--write", type=Path, metavar="PAGE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="favor-data-") as folder:
        measured = table(list(measure(Path(folder), int(arguments.gigabytes * 1e9))))
    print(measured)
    write_into(arguments.write, BEGIN, END, measured)


if __name__ == "__main__":
    main()
