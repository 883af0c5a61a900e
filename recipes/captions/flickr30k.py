"""Flickr30k with Karpathy's splits: `dataset_flickr30k.json`, five sentences an image."""

from __future__ import annotations

from collections.abc import Iterator

from recipes.annotations import Annotations, required
from recipes.prompts import PICTURE
from recipes.recipe import Recipe, Record, captioned


def records(annotations: Annotations) -> Iterator[Record]:
    """An image a record."""
    for path in annotations.find("dataset_flickr30k*.json"):
        for place, item in annotations.items(path, "images.item"):
            name = required(place, item, "filename")
            split = required(place, item, "split")
            sentences = required(place, item, "sentences", list)
            talks, columns = captioned([required(place, each, "raw") for each in sentences], split)
            yield Record(id=name, media={"image": (name,)}, talks=talks, split=split, columns=columns)


RECIPE = Recipe(
    name="flickr30k",
    task="IC",
    licence="Flickr's terms, non-commercial research",
    download="cs.stanford.edu/people/karpathy/deepimagesent (dataset_flickr30k.json); the images on request",
    needs="--annotations: dataset_flickr30k.json; --media: flickr30k-images",
    records=records,
    prompts=PICTURE,
    assumed="fields as documented; the split test is the 1k test set",
)
