"""TextCaps: `data[]` of `image_id`, `caption_str`, `reference_strs`; an entry a caption."""

from __future__ import annotations

from collections.abc import Iterator

from recipes.annotations import Annotations, required, split_of, texts
from recipes.disk import Groups
from recipes.prompts import PICTURE
from recipes.recipe import Recipe, Record, captioned


def records(annotations: Annotations) -> Iterator[Record]:
    """An image a record; the test part's have no captions."""
    for path in annotations.find("TextCaps*.json"):
        split = split_of(path)
        with Groups() as images:
            for place, item in annotations.items(path, "data.item"):
                captions = texts(place, item, "caption_str") + texts(place, item, "reference_strs")
                images.add(required(place, item, "image_id"), [item.get("image_path"), captions])
            for image, entries in images:
                talks, columns = captioned([text for _, said in entries for text in said], split)
                media = {"image": tuple(filter(None, (entries[0][0], f"{image}.jpg")))}
                yield Record(id=image, media=media, talks=talks, split=split, columns=columns)


RECIPE = Recipe(
    name="textcaps",
    task="IC",
    licence="CC BY 4.0",
    download="textvqa.org/textcaps/dataset: TextCaps_0.1_{train,val}.json; the images of TextVQA",
    needs="--annotations: TextCaps_0.1_*.json; --media: train_images, or the unpacked images",
    records=records,
    prompts=PICTURE,
    assumed="caption_str and reference_strs of an image together are its captions, each once",
)
