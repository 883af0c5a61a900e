"""VGG-SS: `vggss.json`, the test clips of VGGSound whose sounding object is marked."""

from __future__ import annotations

from collections.abc import Iterator

from recipes.annotations import Annotations, required
from recipes.prompts import SOURCE_OF_SOUND
from recipes.qa import vggsound
from recipes.recipe import Recipe, Record


def records(annotations: Annotations) -> Iterator[Record]:
    """A clip a record; the boxes are left out."""
    for path in annotations.find("vggss*.json"):
        for place, item in annotations.items(path):
            cells = [required(place, item, "file"), required(place, item, "class")]
            yield vggsound.record(place, cells, "test")


RECIPE = Recipe(
    name="vggss",
    task="AVSSD",
    licence="CC BY 4.0 (annotations); YouTube's terms (videos)",
    download="github.com/hche11/Localizing-Visual-Sounds-the-Hard-Way: metadata/vggss.json; VGGSound's clips",
    needs="--annotations: vggss.json; --media: VGGSound's clips",
    records=records,
    prompts=SOURCE_OF_SOUND,
)
