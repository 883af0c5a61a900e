"""Clotho: `file_name,caption_1,…,caption_5`."""

from __future__ import annotations

from collections.abc import Iterator

from recipes.annotations import Annotations, split_of
from recipes.prompts import SOUND
from recipes.recipe import Recipe, Record, captioned

CAPTIONS = tuple(f"caption_{number}" for number in range(1, 6))


def records(annotations: Annotations) -> Iterator[Record]:
    """A recording a record."""
    for path in annotations.find("clotho_captions_*.csv"):
        split = split_of(path)
        for row in annotations.table(path, "file_name", *CAPTIONS):
            talks, columns = captioned([row[column] for column in CAPTIONS], split)
            name = row["file_name"]
            yield Record(
                id=name, media={"audio": (name, name.strip())}, talks=talks, split=split, columns=columns
            )


RECIPE = Recipe(
    name="clotho",
    task="AC",
    licence="Tampere University licence (non-commercial)",
    download="zenodo.org/records/4783391: clotho_captions_*.csv and clotho_audio_*.7z",
    needs="--annotations: clotho_captions_{development,validation,evaluation}.csv; --media: the sound",
    records=records,
    prompts=SOUND,
    assumed="columns as documented; development is taken for training",
)
