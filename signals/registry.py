"""Every signal there is: each file of sound/, picture/ and together/ that has a SIGNAL."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import signals.picture
import signals.sound
import signals.together
from schemas.media import FrameTransform
from signals.signal import Film, Pictures, Signal, Sound, Value

Found = tuple[dict[str, Value], dict[str, list[float | None]]]


@cache
def registered() -> tuple[Signal, ...]:
    """In the order of their names."""
    found: list[Signal] = []
    for room in (signals.sound, signals.picture, signals.together):
        for module in iter_modules(room.__path__, f"{room.__name__}."):
            one = getattr(import_module(module.name), "SIGNAL", None)
            if isinstance(one, Signal):
                found.append(one)
    return tuple(sorted(found, key=lambda one: one.name))


def versions(full: bool = False) -> dict[str, dict[str, int]]:
    """ "sound", "pictures" and, if `full`, "film" -> name -> version: what a build with signals computes."""
    found: dict[str, dict[str, int]] = {"sound": {}, "pictures": {}, **({"film": {}} if full else {})}
    for one in registered():
        for room, how in (("sound", one.of_sound), ("pictures", one.of_pictures), ("film", one.of_film)):
            if how and room in found:
                found[room][one.name] = one.version
    return found


def frame_transforms() -> dict[str, FrameTransform]:
    """All that the signals need of a frame, each once."""
    return {name: make for one in registered() for name, make in one.frames.items()}


def measure(medium: Sound | Pictures | Film) -> Found:
    """Name -> value, and name -> series a step, of every signal of that medium; None: does not apply."""
    values: dict[str, Value] = {}
    series: dict[str, list[float | None]] = {}
    for one in registered():
        if isinstance(medium, Sound) and one.of_sound:
            measured = one.of_sound(medium)
        elif isinstance(medium, Pictures) and one.of_pictures:
            measured = one.of_pictures(medium)
        elif isinstance(medium, Film) and one.of_film:
            measured = one.of_film(medium)
        else:
            continue
        values[one.name] = round(measured.value, 6) if isinstance(measured.value, float) else measured.value
        if measured.series is not None:
            series[one.name] = [None if x != x else round(x, 6) for x in measured.series.tolist()]
    return values, series
