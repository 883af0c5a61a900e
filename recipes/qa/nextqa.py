"""NExT-QA, multiple choice: `{train,val,test}.csv` and `map_vid_vidorID.json`."""

from __future__ import annotations

from collections.abc import Iterator

from recipes.annotations import Annotations, split_of
from recipes.disk import Lookup
from recipes.errors import RecipeError
from recipes.recipe import Recipe, Record

OPTIONS = ("a0", "a1", "a2", "a3", "a4")


def records(annotations: Annotations) -> Iterator[Record]:
    """A question a record; the map from a video's id to its place in VidOR is used where it is given."""
    with Lookup() as places:
        for path in annotations.find("map_vid*.json", required=False):
            for _, (video, place) in annotations.members(path):
                places[video] = str(place)
        for path in annotations.find("train.csv", "val.csv", "test.csv"):
            split = split_of(path)
            for row in annotations.table(path, "video", "question", "answer", "qid", *OPTIONS):
                yield _record(str(path), row, places.get(row["video"]), split)


def _record(place: str, row: dict[str, str], mapped: str | None, split: str | None) -> Record:
    name = f"{row['video']}_{row['qid']}"
    options = [row[column] for column in OPTIONS]
    right = row["answer"].strip()
    if right not in ("0", "1", "2", "3", "4"):
        raise RecipeError(f"{place}: {name}: field 'answer' is {right!r}, want 0 to 4")
    answer = options[int(right)]
    return Record(
        id=name,
        media={"video": tuple(filter(None, (mapped, row["video"])))},
        talks=(((with_options(row["question"], options), answer),),),
        split=split,
        columns={"references": [answer], "options": options, "type": row.get("type") or ""},
    )


def with_options(question: str, options: list[str]) -> str:
    """A question with lettered answers to choose from."""
    listed = " ".join(f"({letter}) {option}" for letter, option in zip("ABCDEFGHIJ", options, strict=False))
    mark = "" if question.rstrip().endswith("?") else "?"
    return f"{question.rstrip()}{mark} Choose from: {listed}"


RECIPE = Recipe(
    name="nextqa",
    task="VideoQA",
    licence="MIT (annotations); VidOR's terms (videos)",
    download="github.com/doc-doc/NExT-QA: dataset/nextqa; the videos of VidOR",
    needs="--annotations: the folder of the CSV files and map_vid_vidorID.json; --media: the videos",
    records=records,
    assumed="how the paper joins question and options; ours: 'QUESTION? Choose from: (A) … (E) …'",
)
