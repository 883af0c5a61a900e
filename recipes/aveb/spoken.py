"""ISQA: TextVQA's and GQA's questions, spoken, with their pictures.

The authors' recordings are not public. Any recording of a question is found under the root as SET_QUESTIONID
("textvqa_34602.wav"); where there are none, the list of what to speak is written beside the manifests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from recipes.aveb.draws import draw, rows_of
from recipes.aveb.sets import Sets
from recipes.errors import RecipeError
from recipes.manifest import Made
from recipes.recipe import Record

SETS = (
    ("textvqa", ("TextVQA_[0-9]*val*.json",), "val"),
    ("gqa", ("testdev_balanced_questions*.json",), "testdev"),
)
PROMPT = "Please answer the question in the audio."
LIST = "isqa_questions.tsv"
EACH = 1000


def questions(sets: Sets) -> Iterator[Made]:
    """A row a question that was recorded.

    Raises:
        RecipeError: the root has neither set.
    """
    present = [each for each in SETS if sets.has(each[0])]
    if not present:
        raise RecipeError(f"no folder textvqa and no folder gqa under {sets.root}")
    for name, files, split in present:
        rows = sets.rows(name, "ISQA")
        yield from (rows.row(_spoken(record, name)) for record in sets.records(name, files, split))


def _spoken(record: Record, name: str) -> Record:
    """The question is heard: what is written asks to answer it."""
    ((question, answer),) = record.talks[0]
    return replace(
        record,
        id=f"{name}_{record.id}",
        media={**record.media, "audio": (f"{name}_{record.id}",)},
        talks=(((PROMPT, answer),),),
        columns={**record.columns, "type": name, "question": question},
    )


def write_list(sets: Sets, output: Path, seed: int) -> Path:
    """SET_QUESTIONID and the words, of up to 1,000 questions a set whose picture is there."""
    lines: list[str] = []
    for name, files, split in SETS:
        if sets.has(name):
            for row in rows_of(draw(sets.made(name, files, split), EACH, seed)):
                words = " ".join(row["conversations"][0][0]["value"].split())
                lines.append(f"{name}_{row['id']}\t{words}\n")
    path = output / LIST
    path.write_text("".join(lines), encoding="utf-8")
    return path
