"""AVSD (DSTC7): ten questions and answers about a film of Charades."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from recipes.annotations import Annotations, required, split_of
from recipes.recipe import Recipe, Record, Talk, trains

UNDISCLOSED = "__UNDISCLOSED__"


def records(annotations: Annotations) -> Iterator[Record]:
    """A dialogue a record. In evaluation it goes up to the turn to be answered, whose answer is its
    reference; one that is not disclosed is left open."""
    for path in annotations.find("*set4DSTC7-AVSD*.json", "*AVSD*.json"):
        split = split_of(path)
        for place, item in annotations.items(path, "dialogs.item"):
            yield _record(place, item, split)


def _record(place: str, item: Any, split: str | None) -> Record:
    image = required(place, item, "image_id")
    turns: list[tuple[str, str | None]] = []
    for turn in required(place, item, "dialog", list):
        answer = required(place, turn, "answer")
        turns.append((required(place, turn, "question"), None if answer == UNDISCLOSED else answer))
        if answer == UNDISCLOSED:  # what comes after it would tell
            break
    talk: Talk = tuple(turns)
    columns: dict[str, Any] = {name: item[name] for name in ("caption", "summary") if item.get(name)}
    if not trains(split) and talk and talk[-1][1] is not None:
        columns["references"] = [talk[-1][1]]
    return Record(id=image, media={"video": (f"{image}.mp4",)}, talks=(talk,), split=split, columns=columns)


RECIPE = Recipe(
    name="avsd",
    task="AVSD",
    licence="not stated (research); Charades' non-commercial licence (videos)",
    download="video-dialog.com (DSTC7-AVSD); prior.allenai.org/projects/charades: Charades_v1_480.zip",
    needs="--annotations: {train,valid,test}_set4DSTC7-AVSD.json; --media: Charades_v1_480",
    records=records,
    assumed="the last turn is the one to answer, those before it are given",
)
