"""SAVEBench: video-SALMONN's published test lists, which AVEB's grew into."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from recipes.annotations import Annotations, required, texts
from recipes.errors import RecipeError
from recipes.media import bare, kind_of
from recipes.qa.nextqa import with_options
from recipes.recipe import Recipe, Record, Talk, majority

#: By the list's file name.
TASKS = {
    "audiovisualmatching": "AVM",
    "avsd": "AVSD",
    "ego4d": "AVQA",
    "flickr30k": "IC",
    "how2": "AVSR",
    "nextqa": "VideoQA",
    "presentation": "AVQA",
    "testdata_formatted": "AVSSD",
    "testdev_balanced": "VQA",
    "textvqa": "OCR",
}


#: The sentences in which the list of sounds wraps VGGSound's class.
_CLASS = re.compile(r"(?:identified as|in this scene is|is produced by|might originates from) (.+?)\.?\Z")


def records(annotations: Annotations) -> Iterator[Record]:
    """A question a record, `LIST_NUMBER`; a dialogue's last turn is the one to answer."""
    for path in annotations.find("*.json"):
        task = next((task for start, task in TASKS.items() if path.name.startswith(start)), None)
        if task is None:
            raise RecipeError(f"{path}: is none of SAVEBench's lists ({', '.join(TASKS)} …)")
        for number, (place, item) in enumerate(annotations.items(path)):
            yield _record(place, f"{path.stem}_{number}", item, task)


def _record(place: str, name: str, item: Any, task: str) -> Record:
    answers = texts(place, item, "answer")
    options = texts(place, item, "answer_candidates")
    talk: Talk
    if "conversation" in item:
        talk = tuple((question, answer) for question, answer in required(place, item, "conversation", list))
        answers = [str(talk[-1][1])] if talk else []
    else:
        question = required(place, item, "question")
        asked = with_options(question, options) if options else question
        talk = ((asked, majority(answers)),)
    if task == "AVSSD":
        answers = [found[1] if (found := _CLASS.search(text)) else text for text in answers]
    media, whole, optional = _media(place, item)
    start, end = _span(place, item)
    return Record(
        id=name,
        media=media,
        whole=whole,
        start=start,
        end=end,
        optional=optional,
        talks=(talk,),
        split="test",
        task=task,
        columns={"references": answers} | ({"options": options} if options else {}),
    )


def _media(
    place: str, item: Any
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]], frozenset[str]]:
    """(files, films they were cut from, what can be done without). A film's own sound stands in for a wav
    of its name, not for another's."""
    names = texts(place, item, "image_name" if "image_name" in item else "image")
    if not names:
        raise RecipeError(f"{place}: has neither field 'image' nor 'image_name'")
    seen, heard = names[0], names[1:]
    modality = kind_of(seen) or "video"
    media: dict[str, tuple[str, ...]] = {modality: (seen,)}
    if heard:
        media["audio"] = (heard[0],)
    own = bool(heard) and bare(seen) == bare(heard[0])
    film, cut, _ = bare(seen).partition("__")
    whole: dict[str, tuple[str, ...]] = {modality: (film,)} if cut and "duration" in item else {}
    return media, whole, frozenset({"audio"}) if own and modality == "video" else frozenset()


def _span(place: str, item: Any) -> tuple[Decimal | None, Decimal | None]:
    times = item.get("duration")
    if times is None:
        return None, None
    if not isinstance(times, list) or len(times) != 2:
        raise RecipeError(f"{place}: field 'duration' is no [start, end]")
    return Decimal(str(times[0])), Decimal(str(times[1]))


RECIPE = Recipe(
    name="savebench",
    task="AVQA",
    licence="Apache 2.0 (lists); each set's own (media)",
    download="github.com/bytedance/SALMONN, branch videosalmonn: SAVEBench",
    needs="--annotations: SAVEBench, or one of its lists; --media: the folders of its sets' media",
    records=records,
    assumed="how candidates are asked: 'Choose from: (A) … (E) …', as for nextqa",
)
