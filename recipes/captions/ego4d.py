"""Ego4D: narrations and summaries of whole films, by time."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from recipes.annotations import Annotations, required, seconds
from recipes.prompts import VIDEO
from recipes.recipe import Recipe, Record

WINDOW_S = 30


def records(annotations: Annotations) -> Iterator[Record]:
    """A summary's span a record (type "summary"), and every half minute that was narrated ("narration")."""
    for path in annotations.find("*narration*.json"):
        nested = annotations.has(path, "videos")
        for place, (uid, film) in annotations.members(path, "videos" if nested else ""):
            if isinstance(film, dict):
                for name in sorted(key for key in film if key.startswith("narration_pass")):
                    yield from _pass(f"{place} ({uid})", uid, name, film[name] or {})


def _pass(place: str, uid: str, name: str, told: Any) -> Iterator[Record]:
    for number, item in enumerate(told.get("summaries") or []):
        start, end = (
            seconds(place, required(place, item, key, (int, float))) for key in ("start_sec", "end_sec")
        )
        text = required(place, item, "summary_text").strip()
        yield _record(f"{uid}_{name}_summary_{number}", uid, start, end, text, "summary")
    windows: dict[int, list[str]] = {}
    for item in told.get("narrations") or []:
        at = seconds(place, required(place, item, "timestamp_sec", (int, float)))
        windows.setdefault(int(at // WINDOW_S), []).append(_plain(required(place, item, "narration_text")))
    for window, said in sorted(windows.items()):
        start = Decimal(window * WINDOW_S)
        text = " ".join(filter(None, said))
        yield _record(f"{uid}_{name}_{window * WINDOW_S}", uid, start, start + WINDOW_S, text, "narration")


def _plain(text: str) -> str:
    """ "#C C opens a door" -> "C opens a door.": the mark says whether the camera's wearer (C) acts."""
    words = text.strip()
    for mark in ("#C", "#c", "#O", "#o", "#unsure", "#Unsure"):
        words = words.removeprefix(mark).strip()
    return f"{words.rstrip('. ')}." if words else ""


def _record(name: str, uid: str, start: Decimal, end: Decimal, text: str, kind: str) -> Record:
    return Record(
        id=name,
        media={},
        whole={"video": (uid,)},
        start=start,
        end=end,
        talks=(((None, text),),),
        split="train",
        columns={"type": kind},
    )


RECIPE = Recipe(
    name="ego4d",
    task="VC",
    licence="Ego4D licence agreement",
    download="ego4d-data.org: annotations (narration.json) and full_scale or video_540ss",
    needs="--annotations: narration.json; --media: the films UID.mp4",
    records=records,
    prompts=VIDEO,
    assumed="films lie at the top, or under 'videos'; the prompt; narrations joined by half minutes",
)
