"""AVM: half of the pairs match, half do not, and every row says which and whose sound it has.

video-SALMONN's released training takes a wrong sound for a film from AudioCaps' files, for a picture from
SpokenCOCO's. So do these; where the root has no AudioCaps, a film gets the sound of another VGG-SS clip of
another class, as in the authors' released test list (SAVEBench's, which `recipe savebench` reads as it is).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from recipes.aveb.draws import draw, rows_of
from recipes.aveb.sets import Sets
from recipes.errors import RecipeError
from recipes.manifest import Made
from recipes.mixed import spokencoco
from recipes.prompts import PICTURE_MATCHES, VIDEO_MATCHES

EACH = 500


def pairs(sets: Sets, seed: int) -> Iterator[Made]:
    """Rows of films (type "vggss"), then of pictures (type "spokencoco"), as many of either as the root has.

    Raises:
        RecipeError: it has neither.
    """
    if not sets.has("vggss") and not sets.has("spokencoco"):
        raise RecipeError(f"no folder vggss and no folder spokencoco under {sets.root}")
    if sets.has("vggss"):
        yield from _films(sets, seed)
    if sets.has("spokencoco"):
        yield from _pictures(sets, seed)


def _films(sets: Sets, seed: int) -> Iterator[Made]:
    films = rows_of(draw(sets.made("vggss", ("vggss*.json",), "test", "AVM"), EACH, seed))
    others, origin = _sounds(sets, seed), "audiocaps"
    if not others:
        others, origin = films, "vggss"
    wrong = _strangers(films, others, seed, lambda film, other: _apart(film, other, origin))
    for number, film in enumerate(films):
        sound = wrong.get(number)
        yield _row(film, sound, origin if sound else "vggss", "vggss", VIDEO_MATCHES[0])


def _sounds(sets: Sets, seed: int) -> list[dict[str, Any]]:
    if not sets.has("audiocaps"):
        return []
    return rows_of(draw(sets.made("audiocaps", ("test*.csv",), "test"), EACH, seed))


def _apart(film: dict[str, Any], other: dict[str, Any], origin: str) -> bool:
    """Whether a sound is another film's and, as far as classes tell, of another kind."""
    if origin == "audiocaps":
        return bool(film["id"].rpartition("_")[0] != other["id"].rpartition("_")[0])
    return bool(film["references"] != other["references"])


def _pictures(sets: Sets, seed: int) -> Iterator[Made]:
    annotations = sets.annotations("spokencoco", ("SpokenCOCO*val*.json",))
    rows = sets.rows("spokencoco")
    spoken = (
        rows.row(spokencoco.pair(caption, caption, split))
        for caption, split in spokencoco.spoken(annotations)
    )
    pictures = rows_of(draw(spoken, EACH, seed))
    wrong = _strangers(pictures, pictures, seed, lambda one, other: bool(one["image"] != other["image"]))
    for number, picture in enumerate(pictures):
        yield _row(picture, wrong.get(number), "spokencoco", "spokencoco", PICTURE_MATCHES[0])


def _strangers(
    rows: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]], seed: int, apart: Any
) -> dict[int, dict[str, Any]]:
    """For half of the rows, drawn by the seed, one of the others that does not belong to it."""
    random_ = random.Random(seed)
    found: dict[int, dict[str, Any]] = {}
    for number in sorted(random_.sample(range(len(rows)), len(rows) // 2)):
        fitting = [other for other in others if apart(rows[number], other)]
        if fitting:
            found[number] = random_.choice(fitting)
    return found


def _row(
    seen: dict[str, Any], heard: dict[str, Any] | None, origin: str, kind: str, prompt: str
) -> dict[str, Any]:
    answer = "No" if heard else "Yes"
    row = {**seen, "id": f"avm_{seen['id']}"}
    if heard:
        row["audio"] = heard.get("audio") or heard["video"]
    talk = [{"from": "human", "value": prompt}, {"from": "gpt", "value": answer}]
    about = {"type": kind, "match": heard is None, "sound_set": origin, "sound_of": (heard or seen)["id"]}
    return {**row, "conversations": [talk], "references": [answer], **about}
