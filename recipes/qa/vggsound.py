"""VGGSound: `vggsound.csv` (id, start, label, split; no header) or `test.csv` (file, label)."""

from __future__ import annotations

from collections.abc import Iterator

from recipes import names
from recipes.annotations import Annotations, seconds, split_of
from recipes.errors import RecipeError
from recipes.media import bare
from recipes.prompts import SOURCE_OF_SOUND
from recipes.recipe import Recipe, Record

SECONDS = 10
WHOLE, SHORT = 4, 2  # cells a line of the two kinds of file


def records(annotations: Annotations) -> Iterator[Record]:
    """A clip a record."""
    whole = annotations.find("vggsound*.csv", required=False)
    for path in whole or annotations.find("train.csv", "test.csv"):
        for line, cells in annotations.cells(path):
            if not (line == 1 and cells[0].lower() in ("youtube_id", "youtube id", "# youtube id", "file")):
                yield record(f"{path}:{line}", cells, split_of(path))


def record(place: str, cells: list[str], split: str | None) -> Record:
    """A clip by a line of either file."""
    if len(cells) == WHOLE:
        video, start, label, split = (cell.strip() for cell in cells)
        begins = seconds(place, start)
        name = f"{video}_{int(begins):06d}"
        media = names.clip(video, start, begins + SECONDS)
    elif len(cells) == SHORT:
        name, label = bare(cells[0].strip()), cells[1].strip()
        video, _, start = name.rpartition("_")
        begins = seconds(place, start)
        media = (name,)
    else:
        raise RecipeError(f"{place}: {len(cells)} cells: want 'ID,START,LABEL,SPLIT' or 'FILE,LABEL'")
    return Record(
        id=name,
        media={"video": media},
        whole={"video": (video,)},
        start=begins,
        end=begins + SECONDS,
        talks=(((None, label),),),
        split=split,
        columns={"references": [label]},
    )


RECIPE = Recipe(
    name="vggsound",
    task="AVSSD",
    licence="CC BY 4.0 (annotations); YouTube's terms (videos)",
    download="robots.ox.ac.uk/~vgg/data/vggsound: vggsound.csv; the clips from YouTube",
    needs="--annotations: vggsound.csv or test.csv; --media: clips ID_000030.mp4, or whole films ID.mp4",
    records=records,
    prompts=SOURCE_OF_SOUND,
    assumed="the answer is the class alone; SAVEBench wraps it in a sentence",
)
