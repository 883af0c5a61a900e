"""How2: Kaldi's `segments` and `text`. Ids may begin with `-` and hold `_`."""

from __future__ import annotations

from collections.abc import Iterator

from recipes import names
from recipes.annotations import Annotations, seconds
from recipes.disk import Lookup
from recipes.errors import RecipeError
from recipes.prompts import SPEECH_IN_VIDEO
from recipes.recipe import Recipe, Record


def records(annotations: Annotations) -> Iterator[Record]:
    """An utterance a record; the split is the folder's name ("dev5")."""
    segments = annotations.find("segments*")
    with Lookup() as words:
        for path in annotations.find("text*"):
            for line in annotations.lines(path):
                utterance, _, said = line.strip().partition(" ")
                words[utterance] = said
        for path in segments:
            for number, line in enumerate(annotations.lines(path), start=1):
                parts = line.split()
                if not parts:
                    continue
                if len(parts) != 4:
                    raise RecipeError(f"{path}:{number}: want 'UTTERANCE VIDEO START END'")
                yield _record(f"{path}:{number}", parts, words, path.parent.name)


def _record(place: str, parts: list[str], words: Lookup, split: str) -> Record:
    utterance, video, start, end = parts
    said = words.get(utterance)
    if not said:
        raise RecipeError(f"{place}: utterance {utterance!r} has no line in the text file")
    start_s, end_s = seconds(place, start), seconds(place, end)
    cut = (*names.clip(video, start, end), utterance)
    return Record(
        id=utterance,
        media={"video": cut, "audio": tuple(f"{name}.wav" for name in cut)},
        whole={"video": (video,)},
        start=start_s,
        end=end_s,
        optional=frozenset({"audio"}),
        talks=(((None, said),),),
        split=split,
        columns={"references": [said]},
    )


RECIPE = Recipe(
    name="how2",
    task="AVSR",
    licence="CC BY-SA 4.0",
    download="github.com/srvk/how2-dataset: the data folders (segments, text.id.en) and the videos",
    needs="--annotations: a folder with segments and text; --media: VIDEO_START_END.mp4, or whole videos",
    records=records,
    prompts=SPEECH_IN_VIDEO,
    assumed="the transcript is text or text.id.en; a .wav of a clip's name is its sound, as in SAVEBench",
)
