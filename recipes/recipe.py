"""What a recipe is: how a set's own files say what there is, apart from where its media lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from recipes.annotations import Annotations

Names = tuple[str, ...]
#: Turns of a conversation: (question, answer). A question None takes one of the set's prompts; an answer
#: None is left open: it is to be given.
Talk = tuple[tuple[str | None, str | None], ...]


@dataclass(frozen=True)
class Record:
    """One item of a set, as its annotations describe it.

    Attributes:
        media: modality -> names under which its file may lie, the likeliest first. A name is an id, a file
            name or a path, with or without its suffix.
        whole: the same of the film or recording of which the item is only [start, end).
        optional: modalities that the item can do without.
        split: "train", "val", "test" or as the set calls it; decides how captions are asked for.
        columns: more columns of its row: references, type, options …
    """

    id: str
    media: Mapping[str, Names]
    talks: tuple[Talk, ...]
    split: str | None = None
    whole: Mapping[str, Names] = field(default_factory=dict)
    start: Decimal | None = None
    end: Decimal | None = None
    optional: frozenset[str] = frozenset()
    task: str | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """A public set: what it needs, and how it is read.

    Attributes:
        task: as AVEB names it, or what comes nearest.
        licence: name of the licence of the annotations (media may have another).
        download: where the official files come from.
        needs: what `--annotations` and `--media` should name.
        prompts: as published; the first asks in evaluation, training draws among all. Empty: the set has
            its own questions.
        assumed: what no official file could confirm when this was written; empty: read in the official file.
        patterns: names of its annotation files, by which they are found in a folder.
        records: annotation files -> Records, streaming.
    """

    name: str
    task: str
    licence: str
    download: str
    needs: str
    records: Callable[[Annotations], Iterator[Record]]
    prompts: tuple[str, ...] = ()
    assumed: str = ""


def trains(split: str | None) -> bool:
    """Whether a split is for training: several captions are then several conversations."""
    return split is None or split.startswith(("train", "restval"))


def captioned(captions: Sequence[str], split: str | None) -> tuple[tuple[Talk, ...], dict[str, Any]]:
    """(conversations, columns) of several captions of one item: in training each is an answer of its own,
    in evaluation all are references of one. No caption: the answer is left open."""
    captions = list(dict.fromkeys(text.strip() for text in captions if text.strip()))
    if not captions:
        return (((None, None),),), {}
    if trains(split):
        return tuple(((None, caption),) for caption in captions), {}
    return (((None, captions[0]),),), {"references": captions}


def majority(answers: Sequence[str]) -> str | None:
    """The answer given most often, the first of equals; None of none."""
    return Counter(answers).most_common(1)[0][0] if answers else None
