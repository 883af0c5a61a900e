"""Corpora of which only the index is there: all that a schedule reads."""

import pyarrow as pa

from loaders.corpus import Corpus
from loaders.storage import Storage

KINDS = {  # letter -> modalities, steps with sound, with pictures (of one that has)
    "v": (["video"], 1, 1),
    "s": (["video"], 0, 1),
    "a": (["audio"], 1, 0),
    "i": (["image"], 0, 1),
    "b": (["image", "audio"], 1, 1),
}


def corpus_of(steps, conversations=None, shards=None, kinds=None, recordings=None, name="corpus"):
    """Args:
    kinds: a letter a row, of KINDS.
    recordings: a file's name a row.
    """
    count = len(steps)
    shards, kinds = shards or ["a"] * count, kinds or ["v"] * count
    offsets, ends = [], dict.fromkeys(shards, 0)
    for shard in shards:
        offsets.append(ends[shard])
        ends[shard] += 1000
    digests = []
    for row, kind in enumerate(kinds):
        content = recordings[row] if recordings else str(row)
        digests.append({modality: content for modality in KINDS[kind][0]})
    columns = {
        "key": [f"key-{row}" for row in range(count)],
        "shard": shards,
        "offset": offsets,
        "size": [1000] * count,
        "sha256": [f"{name}-{row}" for row in range(count)],
        "steps": steps,
        "conversations": conversations or [1] * count,
        "audio_steps": [KINDS[kind][1] * n for kind, n in zip(kinds, steps, strict=True)],
        "visual_steps": [KINDS[kind][2] * n for kind, n in zip(kinds, steps, strict=True)],
        "modalities": [KINDS[kind][0] for kind in kinds],
        "digests": pa.array(
            digests, pa.struct([("video", pa.string()), ("audio", pa.string()), ("image", pa.string())])
        ),
    }
    return Corpus(f"/{name}", Storage(f"/{name}"), pa.table(columns))
