"""COCO captions: `captions_train2014.json` and its kin; captions and images are lists of their own."""

from __future__ import annotations

from collections.abc import Iterator

from recipes import names
from recipes.annotations import Annotations, required, split_of
from recipes.disk import Groups, Lookup
from recipes.errors import RecipeError
from recipes.prompts import PICTURE
from recipes.recipe import Recipe, Record, captioned


def records(annotations: Annotations) -> Iterator[Record]:
    """An image a record, in the order of the captions."""
    for path in annotations.find("captions_*.json"):
        split = split_of(path)
        with Lookup() as files, Groups() as captions:
            for place, image in annotations.items(path, "images.item"):
                files[str(required(place, image, "id", int))] = required(place, image, "file_name")
            for place, item in annotations.items(path, "annotations.item"):
                captions.add(str(required(place, item, "image_id", int)), required(place, item, "caption"))
            for image, said in captions:
                name = files.get(image)
                if name is None:
                    raise RecipeError(f"{path}: image {image} has captions but no entry in 'images'")
                talks, columns = captioned(said, split)
                media = {"image": (name, *names.coco(image, "train2014", "val2014"))}
                yield Record(id=image, media=media, talks=talks, split=split, columns=columns)


RECIPE = Recipe(
    name="coco",
    task="IC",
    licence="CC BY 4.0 (captions); Flickr's terms (images)",
    download="cocodataset.org/#download: annotations_trainval2014.zip or 2017, and the images",
    needs="--annotations: captions_{train,val}{2014,2017}.json; --media: the unpacked images",
    records=records,
    prompts=PICTURE,
    assumed="fields as documented; an image without captions gives no row",
)
