"""VideoChat's instructions: a list of films with questions and answers."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from recipes.annotations import Annotations, required
from recipes.errors import RecipeError
from recipes.recipe import Recipe, Record
from schemas.forms.conversations import is_questions, questions_of
from schemas.forms.errors import FormError
from schemas.forms.times import seconds_of


def records(annotations: Annotations) -> Iterator[Record]:
    """A film's conversation a record; a `start` or `end` is kept."""
    for path in annotations.find("*.json"):
        for number, (place, item) in enumerate(annotations.items(path)):
            video = required(place, item, "video")
            pairs = required(place, item, "QA", list)
            if not is_questions(pairs):
                raise RecipeError(f"{place}: field 'QA': want a list of objects with 'q' and 'a'")
            try:
                turns = [turn["value"] for turn in questions_of(pairs, "QA")]
                start, end = _time(item, "start"), _time(item, "end")
            except (FormError, ValueError) as error:
                raise RecipeError(f"{place}: {error}") from error
            spanned = start is not None or end is not None
            yield Record(
                id=f"{path.stem}_{number}",
                media={} if spanned else {"video": (video,)},
                whole={"video": (video,)} if spanned else {},
                start=start,
                end=end,
                talks=(tuple(zip(turns[::2], turns[1::2], strict=True)),),
                split="train",
            )


def _time(item: Any, name: str) -> Decimal | None:
    value = item.get(name)
    return None if value is None else seconds_of(str(value))


RECIPE = Recipe(
    name="videochat",
    task="instruction",
    licence="not stated (research; made with OpenAI's models)",
    download="huggingface.co/datasets/OpenGVLab/VideoChat-Instruct-11K; the videos of WebVid",
    needs="--annotations: videochat_instruct_11k.json; --media: the videos",
    records=records,
    assumed="fields as documented; start and end are seconds or HH:MM:SS.mmm of the film",
)
