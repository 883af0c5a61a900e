"""LibriSpeech: `SPEAKER-CHAPTER.trans.txt` beside its FLAC files."""

from __future__ import annotations

from collections.abc import Iterator

from recipes.annotations import Annotations
from recipes.errors import RecipeError
from recipes.prompts import SPEECH
from recipes.recipe import Recipe, Record


def records(annotations: Annotations) -> Iterator[Record]:
    """An utterance a record; the split is the part's own name ("test-clean")."""
    for path in annotations.find("*.trans.txt"):
        split = path.parents[2].name if len(path.parents) > 2 else None
        for number, line in enumerate(annotations.lines(path), start=1):
            utterance, _, words = line.strip().partition(" ")
            if not utterance:
                continue
            if not words:
                raise RecipeError(f"{path}:{number}: {utterance!r} has no words: want 'UTTERANCE WORDS'")
            yield Record(
                id=utterance,
                media={"audio": (f"{utterance}.flac",)},
                talks=(((None, words),),),
                split=split,
                columns={"references": [words], "speaker": utterance.partition("-")[0]},
            )


RECIPE = Recipe(
    name="librispeech",
    task="ASR",
    licence="CC BY 4.0",
    download="openslr.org/12: train-clean-100.tar.gz, train-clean-360.tar.gz, test-clean.tar.gz",
    needs="--annotations and --media: the unpacked LibriSpeech folder, or a part of it",
    records=records,
    prompts=SPEECH,
    assumed="words stay in capitals, as published; the score's normaliser lowers them",
)
