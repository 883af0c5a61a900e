"""Corpora for the loaders' tests, written with the project's own shard writer and Parquet schema."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.corpus import CORPUS_NAME, INDEX_NAME, snapshot_index_name
from schemas.grid import STEP_NS, Span
from schemas.media import Modality
from schemas.sample import Feature, Sample, Source, sample_key
from schemas.shard import ShardWriter, json_bytes, npy_bytes
from schemas.tables import INDEX

AUDIO_WIDTH, VISUAL_WIDTH, TOKENS = 4, 6, 3

COLUMNS = {
    name: {"kind": name, "modality": modality, "model": "m", "untrained": False, "fingerprint": "f" * 64}
    | {"weights": "w", "preprocessing": "p", "dtype": "float16", "options": {}}
    for name, modality in (("whisper", "audio"), ("clip", "video"))
}


@dataclass
class Row:
    """A sample to write. Its features are filled with its number, so that a mix-up shows."""

    number: int
    steps: int = 2
    conversations: int = 1
    modalities: tuple[Modality, ...] = (Modality.VIDEO,)
    files: tuple[tuple[str, bytes], ...] = ()


def sample_of(row: Row) -> tuple[Sample, list[tuple[str, bytes]]]:
    span = Span(0, row.steps * STEP_NS)
    image = Modality.IMAGE in row.modalities
    arrays = {}
    if Modality.VIDEO in row.modalities or Modality.AUDIO in row.modalities:
        arrays["whisper"] = np.full((row.steps, 25, AUDIO_WIDTH), row.number, np.float16)
    if Modality.VIDEO in row.modalities or image:
        arrays["clip"] = np.full((1 if image else row.steps, TOKENS, VISUAL_WIDTH), row.number, np.float16)
    digests = {
        modality: hashlib.sha256(f"{row.number} {modality}".encode()).hexdigest()
        for modality in row.modalities
    }
    key = sample_key(f"clip {row.number:04d}", span, digests)
    sample = Sample(
        key=key,
        id=f"clip {row.number:04d}",
        span=span,
        steps=row.steps,
        media={modality: Source(f"{row.number}.mp4", sha256) for modality, sha256 in digests.items()},
        frame_times=[step / 2 + 0.25 for step in range(row.steps)],
        audio_mask=[int("whisper" in arrays)] * row.steps,
        visual_mask=[int("clip" in arrays)] * row.steps,
        features={name: Feature("f" * 64, value.shape, "float16") for name, value in arrays.items()},
    )
    said = {
        "conversations": [
            [{"from": "human", "value": f"question {turn}"}, {"from": "gpt", "value": f"{row.number}.{turn}"}]
            for turn in range(row.conversations)
        ],
        "metadata": {"number": row.number},
    }
    members = [
        ("json", json_bytes({**sample.to_json(), "version": 1, **said})),
        *((f"{n}.npy", npy_bytes(a)) for n, a in arrays.items()),
    ]
    return sample, [*members, *row.files]


def write_corpus(
    root: Path, shards: Sequence[Sequence[Row]], snapshots: dict[str, int] | None = None
) -> Path:
    """`snapshots`: name -> how many of the index's first rows it froze."""
    (root / "shards").mkdir(parents=True)
    rows = []
    for number, content in enumerate(shards):
        name = f"shards/{number:06d}.tar"
        with (root / name).open("wb") as stream:
            writer = ShardWriter(stream)
            for row in content:
                sample, members = sample_of(row)
                extent = writer.add(sample.key, members)
                uris = {str(modality): source.uri for modality, source in sample.media.items()}
                rows.append(
                    {
                        "key": sample.key,
                        "id": sample.id,
                        "shard": name,
                        "offset": extent.offset,
                        "size": extent.size,
                        "sha256": extent.sha256,
                        "content": extent.sha256,
                        "members": "+".join(sorted(suffix for suffix, _ in members)),
                        "steps": row.steps,
                        "start_ns": 0,
                        "end_ns": sample.span.end_ns,
                        "audio_steps": sum(sample.audio_mask),
                        "visual_steps": sum(sample.visual_mask),
                        "conversations": row.conversations,
                        "modalities": [str(modality) for modality in row.modalities],
                        "uris": uris,
                        "digests": {
                            str(modality): source.sha256 for modality, source in sample.media.items()
                        },
                    }
                )
            writer.finish()
    pq.write_table(pa.Table.from_pylist(rows, schema=INDEX), root / INDEX_NAME)
    frozen = []
    for name, count in (snapshots or {}).items():
        path = root / snapshot_index_name(name)
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows[:count], schema=INDEX), path)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        frozen.append({"name": name, "created": "2026-01-01", "samples": count, "index_sha256": sha256})
    counts = {"inputs": len(rows), "done": len(rows), "rejected": 0, "rejected_by_reason": {}}
    totals = {"samples": len(rows), "steps": 0, "shards": len(shards), "bytes": 0}
    corpus = {"options": {}, "columns": COLUMNS, "counts": {**counts, **totals}, "seconds": {}}
    corpus |= {"libraries": {}, "next_shard": len(shards)}
    (root / CORPUS_NAME).write_text(json.dumps({**corpus, "snapshots": frozen}))
    return root


@pytest.fixture(scope="session")
def make_corpus() -> Callable[..., Path]:
    return write_corpus


@pytest.fixture(scope="session")
def row() -> type[Row]:
    return Row


@pytest.fixture(scope="session")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """23 samples in shards of 1, 9, 2, 11; one to three steps; none to three conversations."""
    sizes, shards, number = (1, 9, 2, 11), [], 0
    for size in sizes:
        shards.append([Row(n, steps=1 + n % 3, conversations=n % 4) for n in range(number, number + size)])
        number += size
    return write_corpus(tmp_path_factory.mktemp("uneven") / "corpus", shards, snapshots={"1": 10})
