"""LLaVA's instructions: a list of conversations about COCO's pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from recipes.annotations import Annotations, required
from recipes.errors import RecipeError
from recipes.recipe import Recipe, Record, Talk
from schemas.forms.conversations import is_talk, talk_of
from schemas.forms.errors import FormError


def records(annotations: Annotations) -> Iterator[Record]:
    """A conversation a record, without <image>; those without a picture are passed over, and said."""
    for path in annotations.find("*.json"):
        for place, item in annotations.items(path):
            name = str(required(place, item, "id", (str, int)))
            image = item.get("image")
            if image is None:
                annotations.remarks["conversations without a picture are left out"] += 1
                continue
            yield Record(
                id=name,
                media={"image": (required(place, item, "image"),)},
                talks=(_talk(place, item),),
                split="train",
            )


def _talk(place: str, item: Any) -> Talk:
    """Pairs of a question and its answer."""
    turns = required(place, item, "conversations", list)
    try:
        said = talk_of(turns, "conversations").turns if is_talk(turns) else []
    except FormError as error:
        raise RecipeError(f"{place}: {error}") from error
    asked = [turn["value"] for turn in said if turn["from"] == "human"]
    if [turn["from"] for turn in said] != ["human", "gpt"] * len(asked) or not asked:
        raise RecipeError(f"{place}: field 'conversations': want human and gpt in turn")
    return tuple(zip(asked, [turn["value"] for turn in said if turn["from"] == "gpt"], strict=True))


RECIPE = Recipe(
    name="llava",
    task="instruction",
    licence="CC BY 4.0 (text, made with GPT-4: OpenAI's terms); Flickr's terms (images)",
    download="huggingface.co/datasets/liuhaotian/LLaVA-Instruct-150K; COCO's train2017",
    needs="--annotations: llava_instruct_150k.json or another of its lists; --media: train2017",
    records=records,
    assumed="fields as documented",
)
