"""`python -m benchmarks.signals [MEDIA…]`: the offset found against the offset made, a confusion table.

Each clip's sound is shifted by -400 to 400 ms; MEDIA are clips of your own that are in step.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.signals.clips import clips, render
from decoders.dense import stretch
from schemas.grid import SAMPLE_RATE, SECOND_NS, Span
from signals.together.offset import Offset, offset

SHIFTS = range(-400, 401, 80)
EACH = 4
Found = list[tuple[int, Offset]]


def found(path: Path) -> Found:
    """The shift made, and the offset told."""
    taken = stretch(str(path), Span(0, 30 * SECOND_NS))
    return [(shift, offset(shifted(taken.waveform, shift), taken.frames, taken.times_s)) for shift in SHIFTS]


def shifted(wave: np.ndarray, ms: int) -> np.ndarray:
    """Later by `ms`, or earlier."""
    by = abs(ms) * SAMPLE_RATE // 1000
    gap = np.zeros(by, np.float32)
    return np.concatenate([gap, wave])[: wave.size] if ms >= 0 else np.concatenate([wave[by:], gap])


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
        for clip in clips(EACH):
            results = found(render(clip, Path(folder, "clip.mp4")))
            kinds.setdefault(clip.name.rstrip(" 0123456789"), []).extend(results)
            true += results if clip.belongs else []
    for given in sys.argv[1:]:
        kinds[Path(given).name] = found(Path(given))
    print("| clips | tried | told | within 80 ms | median error, ms |\n|---|---:|---:|---:|---:|")
    for name, results in kinds.items():
        print(summary(name, results))
    print("\nOf the clips made whose sound belongs to the picture:\n")
    print("\n".join(table(true)))


if __name__ == "__main__":
    main()
