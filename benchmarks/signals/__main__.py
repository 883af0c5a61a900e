"""`python -m benchmarks.signals [MEDIA…]`: the offset found against the offset made, a confusion table.

Each clip's sound is shifted by -400 to 400 ms; MEDIA are clips of your own that are in step. The sound
of each of them under the pictures of every other says how often an offset is told where nothing belongs.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.progress import told
from benchmarks.signals.clips import clips, render
from decoders.clips import decode_clips
from decoders.probe import probe
from pipelines.facts.measured import film_of
from schemas.grid import SAMPLE_RATE, SECOND_NS, Grid, Span
from schemas.media import ClipRequest
from signals.signal import Film, Sound
from signals.together.offset import Offset, offset

SHIFTS = range(-400, 401, 80)
EACH = 4
LONGEST_NS = 30 * SECOND_NS
Found = list[tuple[int, Offset]]


def film(path: Path) -> Film:
    """The first half minute, as a build with `--signals full` looks at it."""
    span = Span(0, min(probe(str(path)).duration_ns, LONGEST_NS))
    [clip] = decode_clips(str(path), [ClipRequest(Grid(span), True, True, True)], {})
    taken = film_of(clip, with_sound=True)
    assert taken is not None
    return taken


def under(taken: Film, wave: npt.NDArray[np.float32]) -> Film:
    """The same pictures, another sound."""
    assert taken.sound is not None
    return replace(taken, sound=Sound(wave, taken.sound.mask))


def shifted(taken: Film, ms: int) -> Film:
    """Its sound later by `ms`, or earlier."""
    assert taken.sound is not None
    wave, by = taken.sound.waveform, abs(ms) * SAMPLE_RATE // 1000
    gap = np.zeros(by, np.float32)
    moved = np.concatenate([gap, wave])[: wave.size] if ms >= 0 else np.concatenate([wave[by:], gap])
    return under(taken, moved)


def found(taken: Film) -> Found:
    """The shift made, and the offset told."""
    return [(shift, offset(shifted(taken, shift))) for shift in SHIFTS]


def mistold(films: list[Film]) -> tuple[int, int]:
    """How many pairs of pictures and the sound of others there are, and of how many an offset is told."""
    told = [
        offset(under(seen, heard.sound.waveform)).ms is not None
        for seen in films
        for heard in films
        if heard is not seen and heard.sound is not None
    ]
    return len(told), sum(told)


def table(results: Found) -> Iterator[str]:
    """A row a shift: what was told, to the nearest 80 ms."""
    yield "| made, ms | " + " | ".join(f"{shift:+d}" for shift in SHIFTS) + " | other | cannot tell |"
    yield "|---:|" + "---:|" * (len(SHIFTS) + 2)
    for made in SHIFTS:
        told = [one.ms for shift, one in results if shift == made]
        near = [None if ms is None else 80 * round(ms / 80) for ms in told]
        other = sum(ms is not None and ms not in SHIFTS for ms in near)
        counts = [*(near.count(shift) for shift in SHIFTS), other, near.count(None)]
        yield f"| {made:+d} | " + " | ".join(str(count or "") for count in counts) + " |"


def summary(name: str, results: Found) -> str:
    """Of one kind of clip."""
    errors = np.array([one.ms - shift for shift, one in results if one.ms is not None])
    right = int((np.abs(errors) <= 80).sum())
    middle = f"{np.median(np.abs(errors)):.0f}" if errors.size else ""
    return f"| {name} | {len(results)} | {errors.size} | {right} | {middle} |"


def main() -> None:
    """See the module."""
    kinds: dict[str, Found] = {}
    true: Found = []
    with tempfile.TemporaryDirectory() as folder:
        for clip in told("clip", clips(EACH), lambda clip: clip.name):
            results = found(film(render(clip, Path(folder, "clip.mp4"))))
            kinds.setdefault(clip.name.rstrip(" 0123456789"), []).extend(results)
            true += results if clip.belongs else []
    given = {Path(name).name: film(Path(name)) for name in told("of yours", sys.argv[1:])}
    real = {name: found(taken) for name, taken in given.items()}
    print("| clips | tried | told | within 80 ms | median error, ms |\n|---|---:|---:|---:|---:|")
    for name, results in {**kinds, **real}.items():
        print(summary(name, results))
    print("\nOf the clips made whose sound belongs to the picture:\n")
    print("\n".join(table(true)))
    if given:
        print("\nOf yours:\n")
        print("\n".join(table([one for results in real.values() for one in results])))
        pairs, wrong = mistold(list(given.values()))
        print(
            f"\nOf {pairs} pairs of pictures and the sound of another of yours an offset was told in {wrong}."
        )


if __name__ == "__main__":
    main()
