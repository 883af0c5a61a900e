"""GQA: an object of questions by id; one word of answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from recipes.annotations import Annotations, required, split_of
from recipes.recipe import Recipe, Record


def records(annotations: Annotations) -> Iterator[Record]:
    """A question a record, its type the structural one; submission parts have no answers."""
    for path in annotations.find("*_questions*.json"):
        split = split_of(path)
        for place, (name, item) in annotations.members(path):
            yield _record(f"{place} ({name})", name, item, split)


def _record(place: str, name: str, item: Any, split: str | None) -> Record:
    image = required(place, item, "imageId")
    answer = item.get("answer")
    columns: dict[str, Any] = {"references": [answer]} if answer else {}
    types = item.get("types")
    if isinstance(types, dict) and isinstance(types.get("structural"), str):
        columns["type"] = types["structural"]
    return Record(
        id=name,
        media={"image": (f"{image}.jpg",)},
        talks=(((required(place, item, "question"), answer),),),
        split=split,
        columns=columns,
    )


RECIPE = Recipe(
    name="gqa",
    task="VQA",
    licence="CC BY 4.0",
    download="cs.stanford.edu/people/dorarad/gqa: questions1.2.zip and images.zip",
    needs="--annotations: testdev_balanced_questions.json or another part; --media: images",
    records=records,
    assumed="fields as documented",
)
