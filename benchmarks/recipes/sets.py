"""Annotation files of any size, one of each shape that sets have; media are empty files, never opened."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

RECORDS_A_FILE = 5  # as LLaVA's and COCO's pictures: several records each


def llava(folder: Path, records: int) -> None:
    """A JSON list of conversations."""
    with (folder / "annotations" / "llava.json").open("w") as stream:
        for n in range(records):
            talk = [("human", f"<image>\nWhat is in picture {n}?"), ("gpt", "Words, more words. " * 12)] * 2
            said = [{"from": speaker, "value": value} for speaker, value in talk]
            row = {"id": f"{n:012d}", "image": f"{n // RECORDS_A_FILE:012d}.jpg", "conversations": said}
            stream.write(("[" if n == 0 else ",\n") + json.dumps(row))
        stream.write("]")
    _media(folder, records, "{:012d}.jpg")


def coco(folder: Path, records: int) -> None:
    """Captions and images apart, to be joined and gathered."""
    images = range(records // RECORDS_A_FILE)
    with (folder / "annotations" / "captions_train2014.json").open("w") as stream:
        stream.write('{"annotations": [')
        for n in range(records):  # the captions of an image lie far apart
            row = {"id": n, "image_id": n % len(images), "caption": f"A caption of some length, number {n}."}
            stream.write(("" if n == 0 else ",\n") + json.dumps(row))
        named = ({"id": n, "file_name": f"COCO_train2014_{n:012d}.jpg"} for n in images)
        stream.write('], "images": [' + ",\n".join(map(json.dumps, named)) + "]}")
    _media(folder, records, "COCO_train2014_{:012d}.jpg")


def audiocaps(folder: Path, records: int) -> None:
    """A CSV file whose rows are gathered by clip."""
    with (folder / "annotations" / "test.csv").open("w") as stream:
        stream.write("audiocap_id,youtube_id,start_time,caption\n")
        for n in range(records):
            clip = n % (records // RECORDS_A_FILE)
            stream.write(f'{n},{clip:011d},30,"A sound, then another, number {n}"\n')
    _media(folder, records, "Y{:011d}.wav")


def gqa(folder: Path, records: int) -> None:
    """One JSON object with a member a question."""
    with (folder / "annotations" / "testdev_balanced_questions.json").open("w") as stream:
        for n in range(records):
            types = {"structural": "verify", "semantic": "attr", "detailed": "x"}
            row = {
                "imageId": f"n{n // RECORDS_A_FILE}",
                "question": f"Is it {n}?",
                "answer": "no",
                "types": types,
            }
            stream.write(("{" if n == 0 else ",\n") + f'"{n:09d}": ' + json.dumps(row))
        stream.write("}")
    _media(folder, records, "n{}.jpg")


SETS: dict[str, Callable[[Path, int], None]] = {
    "llava": llava,
    "coco": coco,
    "audiocaps": audiocaps,
    "gqa": gqa,
}


def _media(folder: Path, records: int, name: str) -> None:
    for n in range(records // RECORDS_A_FILE):
        (folder / "media" / name.format(n)).touch()
