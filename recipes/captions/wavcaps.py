"""WavCaps: `{"data": [{"id", "caption", "duration", …}]}`, a file a source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from recipes.annotations import Annotations, required, texts
from recipes.prompts import SOUND
from recipes.recipe import Recipe, Record, captioned


def records(annotations: Annotations) -> Iterator[Record]:
    """A recording a record; all of it is for training."""
    for path in annotations.find("*_final.json"):  # not its parts and blacklists
        for place, item in annotations.items(path, "data.item"):
            yield _record(place, item, path.stem)


def _record(place: str, item: Any, source: str) -> Record:
    name = str(required(place, item, "id", (str, int)))
    captions = texts(place, item, "caption")
    if not captions:
        required(place, item, "caption")
    talks, columns = captioned(captions, "train")
    bare = name.removesuffix(".wav")
    return Record(
        id=name,
        media={"audio": (f"{bare}.flac", name, f"Y{bare}", bare.removeprefix("Y"))},
        talks=talks,
        split="train",
        columns={**columns, "source": source},
    )


RECIPE = Recipe(
    name="wavcaps",
    task="AC",
    licence="academic use only",
    download="huggingface.co/datasets/cvssp/WavCaps: json_files and Zip_files",
    needs="--annotations: the json_files folder, or one of its files; --media: the unpacked FLAC files",
    records=records,
    prompts=SOUND,
    assumed="AudioSet's ids may carry .wav and a Y that the FLAC's name lacks, or the other way round",
)
