"""OCR-VQA: `dataset.json`, an object of books, each with questions and answers; split 1, 2 or 3."""

from __future__ import annotations

from collections.abc import Iterator

from recipes.annotations import Annotations, required, texts
from recipes.errors import RecipeError
from recipes.recipe import Recipe, Record

SPLITS = {1: "train", 2: "val", 3: "test"}


def records(annotations: Annotations) -> Iterator[Record]:
    """A question a record, `BOOK_NUMBER`."""
    for path in annotations.find("dataset.json"):
        for place, (book, item) in annotations.members(path):
            place = f"{place} ({book})"
            split = required(place, item, "split", int)
            if split not in SPLITS:
                raise RecipeError(f"{place}: field 'split' is {split}, none of 1, 2, 3")
            questions, answers = texts(place, item, "questions"), texts(place, item, "answers")
            if len(questions) != len(answers):
                raise RecipeError(f"{place}: {len(questions)} questions, {len(answers)} answers")
            for number, (question, answer) in enumerate(zip(questions, answers, strict=True)):
                yield Record(
                    id=f"{book}_{number}",
                    media={"image": (f"{book}.jpg",)},
                    talks=(((question, answer),),),
                    split=SPLITS[split],
                    columns={"references": [answer]},
                )


RECIPE = Recipe(
    name="ocrvqa",
    task="OCR",
    licence="not stated (academic use)",
    download="ocr-vqa.github.io: dataset.json and its loader for the book covers",
    needs="--annotations: dataset.json; --media: images",
    records=records,
    assumed="fields as documented; images bear the book's id",
)
