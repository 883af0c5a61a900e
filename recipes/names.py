"""The names under which people keep what they downloaded."""

from __future__ import annotations

from decimal import Decimal


def clip(video: str, start: Decimal | str, end: Decimal | str) -> tuple[str, ...]:
    """A clip cut from a YouTube video, as the usual download tools name it: the time in seconds, in
    six digits, in milliseconds, with or without the end; AudioSet's "Y" before the id."""
    times: list[str] = []
    for text in dict.fromkeys((str(start), _plain(start), _plain(start, "0.1"), _plain(start, "0.01"))):
        times.append(text)
    ends = list(dict.fromkeys((str(end), _plain(end), _plain(end, "0.1"), _plain(end, "0.01"))))
    start_s, end_s = Decimal(start), Decimal(end)
    cut = [f"_{int(start_s):06d}", f"_{int(start_s):06d}_{int(end_s):06d}"]
    cut += [f"_{a}_{b}" for a, b in zip(times, ends, strict=False)]
    cut += [f"_{a}_{b}" for a in times for b in ends]
    cut += [f"_{int(start_s * 1000)}_{int(end_s * 1000)}", *(f"_{a}" for a in times)]
    return tuple(dict.fromkeys(f"{prefix}{video}{part}" for part in cut for prefix in ("", "Y")))


def _plain(time: Decimal | str, step: str | None = None) -> str:
    """12.0 -> "12", "12.0", "12.00"."""
    value = Decimal(time)
    if step:
        return str(value.quantize(Decimal(step)))
    return f"{value.normalize():f}"


def coco(image: str | int, *sets: str) -> tuple[str, ...]:
    """A COCO picture by its number: 2014's names carry the set, 2017's do not."""
    digits = f"{int(image):012d}"
    return (*(f"COCO_{name}_{digits}" for name in sets), digits)
