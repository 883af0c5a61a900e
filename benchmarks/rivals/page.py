"""docs/rivals.md from the JSON of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

HEAD = """# Beside the strongest rivals

Written by `python -m benchmarks.rivals --write docs/rivals.md` on {machine}; not to be edited by hand.
All contestants of a table took turns in one run; figures are medians of the turns. "Load" is the
machine's load average over five minutes at the end of a row: above its number of cores other programs
took part of it, and only ratios mean something.

"""
FEATURES = """## Features

CLIP {clip} and Whisper {whisper} of random weights, 720p H.264 with a voice; bfloat16 where the CPU has
it, for all. Seconds of the build, and how many times as long the others take: whole command, start-up
included / the loop alone, models loaded / CPU seconds of the whole command and all its children, which
other programs disturb least. Every script asks for all of a film's frames at once, uses the reader's own
threads, resizes with torch on bytes and encodes in batches of 16. clip-video-encode's and video2dataset's
ways are written out: their pins do not install beside ours. A figure under 1 is a rival that wins. On a
loaded machine CPU seconds too are little told apart: threads spin while they wait for one another. A row on
one core (`taskset`, OMP_NUM_THREADS=1) has none of that.

"""
TRANSCRIPTS = """
## Transcripts

Whisper tiny.en, the same weights, on the demo's recordings three times over. The build's loop also makes
and stores the encoder's features; faster-whisper gives the words alone.

| | whole command, s | loop, s | CPU, s | wrong words | load |
| --- | ---: | ---: | ---: | ---: | ---: |
"""
LOADERS = """
## Reading for training

Features as arrays, one process, from a warm page cache. favor-data shuffles; the
others read in order. webdataset and Energon read the same tars; MosaicML streaming reads its own format,
into which they were converted before. Hugging Face datasets reads a twentieth of them.

| samples | reader | ms a sample | CPU ms a sample | load |
| --- | --- | ---: | ---: | ---: |
"""


def page(found: dict[str, Any]) -> str:
    """Markdown."""
    text = HEAD.format(machine=found["machine"])
    if rows := found.get("features"):
        clip, whisper = found["models"]
        text += FEATURES.format(clip=clip, whisper=whisper) + "".join(_features(rows))
    if rows := found.get("transcripts"):
        text += TRANSCRIPTS + "".join(
            f"| {row['name']} | {row['command']:.1f} | {row['loop']:.1f} | {row['cpu']:.1f} "
            f"| {100 * row['wrong']:.1f} % | {row['load']:.1f} |\n"
            for row in rows
        )
    if rows := found.get("loaders"):
        text += LOADERS + "".join(
            f"| {row['samples']} | {row['name']} | {row['ms']:.3f} | {row['cpu']:.3f} | {row['load']:.1f} |\n"
            for row in rows
        )
    return text


def _features(rows: list[dict[str, Any]]) -> Iterator[str]:
    ours, *others = rows[0]["command"]
    yield f"| films | Mbit/s | build, s | {' | '.join(others)} | cores | turns | load |\n"
    yield f"| --- |{' ---: |' * (len(others) + 5)}\n"
    for row in rows:
        columns = [row[name] for name in ("command", "loop", "cpu")]
        cells = [
            " / ".join(f"{column[name] / column[ours]:.2f}" if name in column else "–" for column in columns)
            for name in others
        ]
        own = " / ".join(f"{column[ours]:.1f}" for column in columns)
        yield f"| {row['films']} | {row['megabits']:.1f} | {own} "
        yield f"| {' | '.join(cells)} | {row['cores']} | {row['turns']} | {row['load']:.1f} |\n"
