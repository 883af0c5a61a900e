"""What a terminal of 80 columns shows: progress, Ctrl-C, going on, a rejected input, a typo, a full disk.

    python -m benchmarks.terminal --write docs/terminal.md

Types into tmux (`apt-get install tmux`) and copies its screen. The full disk is a tmpfs where one may be
mounted (root), else a limit on a file's size.
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg

from benchmarks.lines import write_into
from benchmarks.progress import told

ROOT = Path(__file__).parents[1]
COLUMNS, LINES, PATIENCE_S = 80, 40, 300.0
BUILD = "favor-data build videos/ --output corpus --whisper random:tiny --clip random:vit-b-32"
_TMUX, _MOUNT, _UMOUNT = (shutil.which(name) or name for name in ("tmux", "mount", "umount"))
_BEGIN, _END = "<!-- screens: python -m benchmarks.terminal -->", "<!-- end of screens -->"


class Terminal:
    """A shell in tmux, as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._name = f"favor-data-{uuid.uuid4().hex[:8]}"
        self._folder = folder

    def __enter__(self) -> Terminal:
        shell = f"env PS1='$ ' PATH={shlex.quote(str(self._folder / '.bin'))}:$PATH bash --norc --noprofile"
        size = ["-x", str(COLUMNS), "-y", str(LINES)]
        self._tmux("new-session", "-d", "-s", self._name, *size, "-c", str(self._folder), shell)
        time.sleep(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-session", "-t", self._name)

    def type(self, line: str) -> None:
        """And Enter."""
        self._tmux("send-keys", "-t", self._name, "-l", line)
        self._tmux("send-keys", "-t", self._name, "Enter")

    def press(self, key: str) -> None:
        """As tmux names it."""
        self._tmux("send-keys", "-t", self._name, key)

    def clear(self) -> None:
        """An empty screen."""
        self.type("clear")
        time.sleep(1)

    def screen(self, until: str) -> str:
        """What it shows once a line matches.

        Raises:
            TimeoutError: none does, within five minutes.
        """
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            shown = self._tmux("capture-pane", "-p", "-t", self._name).rstrip()
            if re.search(until, shown, re.MULTILINE):
                return shown
            time.sleep(0.2)
        raise TimeoutError(f"no line is {until!r}:\n{shown}")

    @staticmethod
    def _tmux(*arguments: str) -> str:
        command = [_TMUX, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def prepare(folder: Path) -> None:
    """Films, a text under a film's name, and the commands on the shell's path."""
    (folder / "videos").mkdir()
    for number in told("film to make", range(6)):
        source = f"testsrc2=size=320x180:rate=25:duration=40,hue=h={60 * number}"
        ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", source]
        sound = ["-f", "lavfi", "-i", f"sine=frequency={200 + 50 * number}:duration=40"]
        film = str(folder / "videos" / f"film{number}.mp4")
        subprocess.run([*ffmpeg, *sound, "-pix_fmt", "yuv420p", film], check=True)
    (folder / "videos" / "notes.mp4").write_text("no film")
    (folder / ".bin").mkdir()
    program = folder / ".bin" / "favor-data"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m pipelines "$@"\n')
    program.chmod(0o755)


def scenes(folder: Path) -> Iterator[tuple[str, str]]:
    """(what it is, the screen)."""
    with Terminal(folder) as terminal:
        terminal.clear()
        terminal.type(BUILD)
        yield "Weights load, films are decoded", terminal.screen(r"encoders load.*\d+%")
        yield "Under way; one file was no film", terminal.screen(r"encoding +[1-9]\d*%.*rejected")
        terminal.press("C-c")
        yield "Ctrl-C", terminal.screen(r"^favor-data: stopped")
        terminal.clear()
        terminal.type(BUILD)
        yield "The same command goes on, and says what was rejected", terminal.screen(r"^  whisper ")
        terminal.clear()
        terminal.type("favor-data biuld videos/ --output corpus")
        terminal.screen(r"^favor-data: unknown command")
        terminal.type("favor-data build videos/ --output corpus --clip-second 10")
        terminal.screen(r"unknown option")
        terminal.type("favor-data build vidoes/ --output corpus")
        yield "Typos", terminal.screen(r"vidoes.*(no such|not)")
        terminal.clear()
        small = folder / "small"
        small.mkdir()
        mount = [_MOUNT, "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(small)]
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
        try:
            if not mounted:
                terminal.type("ulimit -f 500; clear")
            terminal.type(BUILD.replace("--output corpus", "--output small/corpus"))
            yield "A full disk", terminal.screen(r"^favor-data: .*(\n.*)*same command")
        finally:
            if mounted:
                subprocess.run([_UMOUNT, "-l", str(small)], check=True)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="a page: between its marks")
    arguments = parser.parse_args()
    parts = []
    with tempfile.TemporaryDirectory(prefix="you-") as name:
        folder = Path(name)
        prepare(folder)
        for title, screen in scenes(folder):
            widest = max(map(len, screen.splitlines()))
            print(f"== {title}: {widest} columns\n{screen}\n", flush=True)
            parts.append(f"**{title}**\n\n```text\n{screen}\n```\n")
    shown = "\n".join(parts)
    write_into(arguments.write, _BEGIN, _END, f"\n\n{shown}\n")


if __name__ == "__main__":
    main()
