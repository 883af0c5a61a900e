"""docs/gpu.md from the JSON of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

HEAD = """# On a GPU

Written by `python -m benchmarks.gpu --write docs/gpu.md` on {card}; not to be edited by hand.

{machine}

"""
ENCODERS = """## Encoders

Random weights of the true shapes, {dtype}. "On the card": a batch whose frames or waveforms lie there
already, Whisper's log-mel within its time. "Whole calls": arrays on the host to features on the host, in one
thread, as a build calls it. Shares are of {peak:.0f} TFLOP/s: what products of {name} matrices of
8192 x 8192 keep up for half a second on this card. A row is a frame, or a window of 30 s. Cosines are to
this project's own float32 on the CPU, of each vector.

"""
DECODING = """
## Decoding

Films of {seconds} s, {size}, 30 fps, with grain; two frames a second, cut to 224 x 224. Seconds of film a
second of the clock, by one process and by {cores}, each with one thread. Colour and size are made on the CPU
in both.

"""
BUILD = """
## Whole builds

{films} films of {film_s} s, {size} H.264 at 30 fps with grain, AAC; Beam's runner in one process, a decoder a
core, patch tokens kept. "Decoding alone": the same clips by as many processes of one thread, nobody encoding.
"Encoding alone": the whole calls of the first table, one after another. A build overlaps the two, so the
larger is its floor; "build" is its pipeline, weights included, the interpreter's start not.

"""


def page(found: dict[str, Any]) -> str:
    """Markdown."""
    machine = found["machine"]
    about = (
        f"{machine['cores']} cores of {machine['processor']}, driver {machine.get('driver', 'none')}, "
        f"torch {machine['torch']}. From pinned memory to the card "
        f"{machine['copy_gb_s'].get('to the card', 0):.0f} GB/s, back "
        f"{machine['copy_gb_s'].get('from the card', 0):.0f}."
    )
    text = HEAD.format(card=machine["card"], machine=about)
    if found.get("encoders"):
        text += "".join(_encoders(found["encoders"], machine["peak_tflops"]))
    if found.get("decoding"):
        text += "".join(_decoding(found["decoding"]))
    if found.get("build"):
        text += "".join(_builds(found["build"]))
    if found.get("tests"):
        text += "".join(_tests(found["tests"]))
    return text


def _encoders(rows: list[dict[str, Any]], peaks: dict[str, float]) -> Iterator[str]:
    dtype = rows[0]["dtype"]
    name = max(peaks, key=peaks.__getitem__)
    yield ENCODERS.format(dtype=dtype, peak=peaks[name], name=name)
    yield "| encoder | batch | GFLOP a row | on the card, rows/s | share | whole calls, rows/s | share "
    yield "| least cosine | mean | GiB |\n"
    yield f"| --- |{' ---: |' * 9}\n"
    for row in rows:
        share = row["gflop_a_row"] / 1e3 / peaks[name]
        yield (
            f"| {row['model']} | {row['batch']} | {row['gflop_a_row']:.0f} "
            f"| {1e3 / row['device_ms_a_row']:,.0f} | {share * 1e3 / row['device_ms_a_row']:.2f} "
            f"| {row['rows_a_second']:,.0f} | {share * row['rows_a_second']:.2f} "
            f"| {row['cosine_least']:.6f} | {row['cosine_mean']:.6f} | {row['peak_gib']:.1f} |\n"
        )


def _decoding(found: dict[str, Any]) -> Iterator[str]:
    films = found["films"]
    first = films[0]
    yield DECODING.format(**{name: first[name] for name in ("seconds", "size", "cores")})
    if found["without_nvdec"]:
        yield f"This machine has no NVDEC: {found['without_nvdec']}\n\n"
    columns = [name for name in first if name.startswith(("pyav", "nvdec"))]
    heads = [name.replace("pyav", "CPU").replace("nvdec", "NVDEC") for name in columns]
    yield f"| film | {' | '.join(heads)} | bytes of the pictures that differ |\n"
    yield f"| --- |{' ---: |' * (len(columns) + 1)}\n"
    for film in films:
        cells = " | ".join(f"{film[name]:.0f}" for name in columns)
        yield f"| {film['codec']} | {cells} | {film.get('differing', 'not measured')} |\n"


def _builds(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield BUILD.format(**rows[0])
    yield "| encoders | decoder | decoding alone, s | encoding alone, s | build, s | floor / build "
    yield "| media-s a s |\n"
    yield f"| --- | --- |{' ---: |' * 5}\n"
    for row in rows:
        took, floor = row["stages"]["build"], max(row["decoding_s"], row["encoding_s"])
        yield (
            f"| {row['clip']}, {row['whisper']} | {row['decoder']} | {row['decoding_s']:.1f} "
            f"| {row['encoding_s']:.1f} | {took:.1f} | {floor / took:.2f} "
            f"| {row['films'] * row['film_s'] / took:.0f} |\n"
        )


def _tests(outcomes: dict[str, str]) -> Iterator[str]:
    counts = Counter(outcome.partition(":")[0] for outcome in outcomes.values())
    yield "\n## Tests\n\n"
    yield f"{', '.join(f'{count} {outcome}' for outcome, count in counts.items())}.\n"
    for name, outcome in outcomes.items():
        if outcome != "passed":
            yield f"- `{name}`: {outcome.splitlines()[0][:160]}\n"
