"""SpokenCOCO: pictures with captions read aloud, as pairs that match and pairs that do not."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from recipes.annotations import Annotations, required, split_of
from recipes.prompts import PICTURE_MATCHES
from recipes.recipe import Recipe, Record

_OTHERS = 64  # captions of other pictures among which a wrong one is drawn


@dataclass(frozen=True)
class Spoken:
    """A caption read aloud."""

    image: str
    wav: str
    text: str
    id: str


def spoken(annotations: Annotations) -> Iterator[tuple[Spoken, str | None]]:
    """(caption, split), in the order of the files."""
    for path in annotations.find("SpokenCOCO*.json"):
        split = split_of(path)
        for place, item in annotations.items(path, "data.item"):
            image = required(place, item, "image")
            for each in required(place, item, "captions", list):
                wav, text, name = (required(place, each, key) for key in ("wav", "text", "uttid"))
                yield Spoken(image, wav, text, name), split


def records(annotations: Annotations) -> Iterator[Record]:
    """A caption a record. By its id, about half keep their picture's caption; the others get the one of
    an earlier picture, as video-SALMONN's training draws another file of SpokenCOCO."""
    others: deque[Spoken] = deque(maxlen=_OTHERS)
    for caption, split in spoken(annotations):
        draw = zlib.crc32(caption.id.encode())
        strangers = [other for other in others if other.image != caption.image]
        match = bool(draw % 2) or not strangers
        heard = caption if match else strangers[draw // 2 % len(strangers)]
        yield pair(caption, heard, split)
        others.append(caption)


def pair(seen: Spoken, heard: Spoken, split: str | None) -> Record:
    """A picture with a caption read aloud, its own or another's."""
    match = seen.image == heard.image
    answer = "Yes" if match else "No"
    return Record(
        id=seen.id,
        media={"image": (seen.image,), "audio": (heard.wav, heard.id)},
        talks=(((None, answer),),),
        split=split,
        columns={"references": [answer], "match": match, "sound_of": heard.id, "text": heard.text},
    )


RECIPE = Recipe(
    name="spokencoco",
    task="AVM",
    licence="CC BY-SA 4.0 (speech); Flickr's terms (images)",
    download="groups.csail.mit.edu/sls/downloads/placesaudio (SpokenCOCO.tar.gz); COCO's 2014 images",
    needs="--annotations: SpokenCOCO_{train,val}.json; --media: the SpokenCOCO folder, and COCO's images",
    records=records,
    prompts=PICTURE_MATCHES,
    assumed="fields as documented; a wrong caption is one of the 64 before it: nothing is held in memory",
)
