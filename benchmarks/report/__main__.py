"""`favor-data report` of a corpus of many samples: seconds to make, megabytes, seconds to open and to search.

    python -m benchmarks.report --samples 100000 --write docs/report.md

A few films are built; the index names their samples again and again under other keys. The page draws twelve
of half a minute. It is opened in headless Chromium (Debian's; the extra `test` has what drives it). Exit
status 1: out of bounds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.films import SHAPES, talking_films
from benchmarks.lines import Line, write_into
from benchmarks.progress import say
from benchmarks.signals.selection import multiplied
from pipelines.commands.command import main as favor_data

FILMS, SECONDS = 12, 30
MAKE_S, SIZE_MB, OPEN_S = 5, 20, 2  # at most, of 100,000 samples
MAKE, SIZE, OPEN, SEARCH = "seconds to make", "MB", "seconds to open", "seconds to search"
FROM_FILMS = "seconds to make, decoding the films"
BOUNDS = {MAKE: MAKE_S, SIZE: SIZE_MB, OPEN: OPEN_S}
BEGIN, END = "<!-- figures: python -m benchmarks.report -->", "<!-- end of figures -->"
_CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def corpus(media: Path, output: Path, *keep: str) -> Path:
    """The films' own; features come out of the cache the second time."""
    say(f"a build {' '.join(keep)}")
    encoders = ["--whisper", "random:tiny", "--clip", "random:vit-b-32", "--clip-tokens", "cls", "--signals"]
    more = ["--cache", str(output.parent / "cache"), "--quiet", *keep]
    if favor_data(["build", str(media / "*.mp4"), "--output", str(output), *encoders, *more]):
        raise RuntimeError("the corpus was not built")
    return output


def made(output: Path, page: Path) -> float:
    """Seconds of the whole command; it draws samples that hold something."""
    command = [sys.executable, "-m", "pipelines", "report", str(output), "--output", str(page)]
    began = time.perf_counter()
    subprocess.run([*command, "--where", "key NOT LIKE 'other-%'"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def opened(page: Path, wanted: str) -> tuple[float, float]:
    """Seconds until the page has loaded and a frame of it was drawn; until a sample was found by its name."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page()
        began = time.perf_counter()
        tab.goto(page.as_uri(), wait_until="load")
        tab.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        shown = time.perf_counter() - began
        began = time.perf_counter()
        tab.fill("#find", wanted)
        assert tab.inner_text("#found").startswith("1 samples by name")
        found = time.perf_counter() - began
        browser.close()
    return shown, found


def lines(folder: Path, samples: int) -> Iterator[Line]:
    """What was measured."""
    media, page = folder / "media", folder / "report.html"
    media.mkdir()
    talking_films(media, FILMS, SECONDS, SHAPES)
    output = corpus(media, folder / "kept", "--keep", "frames,audio")
    multiplied(output, samples)
    bare = corpus(media, folder / "bare")
    drawn = f"{FILMS} of {SECONDS} s drawn"
    say("their pages")
    yield Line(MAKE, made(output, page), f"{samples:,} samples, {drawn}")
    yield Line(SIZE, page.stat().st_size / 1e6, "that page")
    yield Line(FROM_FILMS, made(bare, folder / "bare.html"), f"without `--keep`, {drawn}, no others")
    if _CHROMIUM is None:
        say("no Chromium on this machine: the page is not opened")
        return
    shown, found = opened(page, f"films/{samples - 1:07d}.mp4")
    yield Line(OPEN, shown, "Chromium, loaded and drawn")
    yield Line(SEARCH, found, "the last sample, by its id")


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="the figures, between its marks")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="favor-data-bench-") as temporary:
        found = []
        for line in lines(Path(temporary), arguments.samples):
            print(line, flush=True)
            found.append(line)
    table = "".join(f"| {x.name} | {x.value:.2g} | {BOUNDS.get(x.name, '')} | {x.how} |\n" for x in found)
    head = (
        f"\n\nOn {len(os.sched_getaffinity(0))} cores that {os.getloadavg()[1]:.1f} processes share "
        "(wall seconds mean something where it is none):\n\n"
    )
    columns = "| | measured | at most | of |\n|---|---:|---:|---|\n"
    write_into(arguments.write, BEGIN, END, f"{head}{columns}{table}\n")
    return int(any(line.value > BOUNDS.get(line.name, line.value) for line in found))


if __name__ == "__main__":
    sys.exit(main())
