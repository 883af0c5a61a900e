"""TextVQA: `data[]` of a question and ten answers; the test part's are not disclosed."""

from __future__ import annotations

from collections.abc import Iterator

from recipes.annotations import Annotations, required, split_of, texts
from recipes.recipe import Recipe, Record, majority


def records(annotations: Annotations) -> Iterator[Record]:
    """A question a record; its answer is the one given most often."""
    for path in annotations.find("TextVQA_[0-9]*.json"):  # not TextVQA_Rosetta_OCR_…
        split = split_of(path)
        for place, item in annotations.items(path, "data.item"):
            image = required(place, item, "image_id")
            answers = texts(place, item, "answers")
            yield Record(
                id=str(required(place, item, "question_id", (int, str))),
                media={"image": (f"{image}.jpg",)},
                talks=(((required(place, item, "question"), majority(answers)),),),
                split=split,
                columns={"references": answers} if answers else {},
            )


RECIPE = Recipe(
    name="textvqa",
    task="OCR",
    licence="CC BY 4.0",
    download="textvqa.org/dataset: TextVQA_0.5.1_{train,val}.json and train_val_images.zip",
    needs="--annotations: TextVQA_0.5.1_*.json; --media: train_images",
    records=records,
    assumed="fields as documented",
)
