"""Records meet their media: the rows of a manifest, and what had to be left out."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from pydantic import ValidationError

from recipes.media import Media
from recipes.prompts import draw
from recipes.recipe import Recipe, Record, Talk, trains
from schemas.manifest import ManifestRow, first_fault

MISSING = "missing"
UNUSABLE = "unusable"


@dataclass
class Outcome:
    """What became of a set's records; `left_out` counts by MISSING and UNUSABLE, `examples` has the first
    few lines of the list."""

    rows: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LeftOut:
    """A record without a row: which, why, and the names that were looked for."""

    id: str
    reason: str
    detail: str


#: A row of a manifest, or why there is none.
Made = dict[str, Any] | LeftOut


class Rows:
    """Makes rows of one recipe's records.

    `prompts` stand for the recipe's own; paths below `folder` (the manifest's) are written relative to it.
    """

    def __init__(self, recipe: Recipe, media: Media, folder: Path, prompts: Sequence[str] = ()) -> None:
        self._recipe = recipe
        self._media = media
        self._folder = f"{folder.absolute()}{os.sep}"
        self._prompts = tuple(prompts) or recipe.prompts
        self._own = bool(prompts)

    def row(self, record: Record) -> Made:
        """The record's row, checked against the manifest's own schema."""
        media, cut, lacking = self._find(record)
        if lacking:
            return LeftOut(record.id, MISSING, lacking)
        values: dict[str, Any] = {"id": record.id, **media}
        if cut:
            values |= {
                name: float(t) for name, t in (("start", record.start), ("end", record.end)) if t is not None
            }
        values["conversations"] = [
            self._turns(record, talk, number) for number, talk in enumerate(record.talks)
        ]
        values |= {
            "set": self._recipe.name,
            "split": record.split or "",
            "task": record.task or self._recipe.task,
            "license": self._recipe.licence,
            **record.columns,
        }
        try:
            ManifestRow.model_validate(values)
        except ValidationError as error:
            return LeftOut(record.id, UNUSABLE, first_fault(error))
        return values

    def _find(self, record: Record) -> tuple[dict[str, str], bool, str]:
        """(modality -> path, whether the span applies, what is missing)."""
        found: dict[str, str] = {}
        cut = False
        for modality in {**record.media, **record.whole}:
            names = record.media.get(modality, ())
            path = self._media.find(modality, names)
            if path is None and (whole := record.whole.get(modality, ())):
                path = self._media.find(modality, whole)
                cut = cut or path is not None
                names += whole
            if path is not None:
                found[modality] = path.removeprefix(self._folder)
            elif modality not in record.optional:
                return {}, False, f"{modality}: {' | '.join(names[:6])}"
        if not found:
            return {}, False, "no medium"
        return found, cut, ""

    def _turns(self, record: Record, talk: Talk, number: int) -> list[dict[str, str]]:
        turns: list[dict[str, str]] = []
        for question, answer in talk:
            turns.append({"from": "human", "value": question or self._prompt(record, number)})
            if answer is not None:
                turns.append({"from": "gpt", "value": answer})
        return turns

    def _prompt(self, record: Record, number: int) -> str:
        """One's own prompts and training draw among all; evaluation asks as published."""
        if trains(record.split) or self._own:
            return draw(self._prompts, f"{record.id}/{number}")
        return self._prompts[0]


def write(made: Iterable[Made], output: Path) -> Outcome:
    """The manifest at `output`, whole or not at all, and beside it the list of what was left out
    (`output`.left_out.tsv: id, reason, detail), if anything was.

    Raises:
        RecipeError: the annotations are not as they should be.
        OSError: the files cannot be written.
    """
    outcome = Outcome()
    listed = output.with_name(f"{output.name}.left_out.tsv")
    partial, partial_list = (path.with_name(f"{path.name}.part") for path in (output, listed))
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _text(partial) as manifest, _text(partial_list) as left_out:
            for each in made:
                if isinstance(each, LeftOut):
                    outcome.left_out[each.reason] += 1
                    line = "\t".join(" ".join(part.split()) for part in (each.id, each.reason, each.detail))
                    left_out.write(line + "\n")
                    outcome.examples = [*outcome.examples, line][:3]
                else:
                    outcome.rows += 1
                    manifest.write(json.dumps(each, ensure_ascii=False) + "\n")
        partial.replace(output)
        if outcome.left_out:
            partial_list.replace(listed)
        else:
            listed.unlink(missing_ok=True)
    finally:
        partial.unlink(missing_ok=True)
        partial_list.unlink(missing_ok=True)
    return outcome


def _text(path: Path) -> TextIO:
    """For writing; half a surrogate pair, which JSON can name and UTF-8 cannot, becomes "?"."""
    return path.open("w", encoding="utf-8", errors="replace")
