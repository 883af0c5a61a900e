"""AudioCaps: `audiocap_id,youtube_id,start_time,caption`; val and test have five captions a clip."""

from __future__ import annotations

from collections.abc import Iterator

from recipes import names
from recipes.annotations import Annotations, seconds, split_of
from recipes.disk import Groups
from recipes.prompts import SOUND
from recipes.recipe import Recipe, Record, captioned

SECONDS = 10


def records(annotations: Annotations) -> Iterator[Record]:
    """A clip a record, its captions gathered."""
    for path in annotations.find("train*.csv", "val*.csv", "test*.csv"):
        split = split_of(path)
        with Groups() as clips:
            for row in annotations.table(path, "audiocap_id", "youtube_id", "start_time", "caption"):
                clips.add(f"{row['youtube_id']}_{row['start_time']}", row)
            for clip, rows in clips:
                yield _record(str(path), clip, rows, split)


def _record(place: str, clip: str, rows: list[dict[str, str]], split: str | None) -> Record:
    video, start = rows[0]["youtube_id"], rows[0]["start_time"]
    begins = seconds(f"{place}: {clip}", start)
    talks, columns = captioned([row["caption"] for row in rows], split)
    ids = [row["audiocap_id"] for row in rows]
    return Record(
        id=clip,
        media={"audio": (*names.clip(video, start, begins + SECONDS), f"Y{video}", video, *ids)},
        talks=talks,
        split=split,
        columns={**columns, "audiocap_ids": ids},
    )


RECIPE = Recipe(
    name="audiocaps",
    task="AC",
    licence="MIT (captions); YouTube's terms (sound)",
    download="github.com/cdjkim/audiocaps: dataset/{train,val,test}.csv; the clips from YouTube",
    needs="--annotations: train.csv, val.csv or test.csv; --media: the clips, sound or film",
    records=records,
    prompts=SOUND,
    assumed="a file that bears the YouTube id alone is the 10 s clip, not the whole film",
)
