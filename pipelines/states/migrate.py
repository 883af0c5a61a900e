"""A corpus of version 1 as a state: its shards stay as they are, its snapshots become kept states."""

from __future__ import annotations

import json
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import Any

from pydantic import ValidationError

from pipelines.errors import StorageError, UsageError
from pipelines.states.commit import latest_number, read_state
from pipelines.states.parts import TALKS_OF, Parts
from schemas.corpus import CORPUS_NAME, INDEX_NAME, LEDGER_NAME, Corpus, snapshot_index_name
from schemas.rows import Row
from schemas.shard import tar_bytes
from schemas.state import ANNOTATIONS, BASE, KEPT, STATES, State, state_name
from schemas.tables import INDEX, LEDGER, read_rows
from storage import files

SNAPSHOTS = "snapshots"
_HEAD = 1 << 16
_BLOCK = tarfile.BLOCKSIZE


def is_version_1(output: str) -> bool:
    """Whether favor-data 0.1 wrote the corpus, and nothing has migrated it since.

    Raises:
        UsageError: its states are gone.
    """
    if latest_number(output):
        return False
    path = files.join(output, CORPUS_NAME)
    if not files.exists(path):  # also where OUT lies below a file
        return False
    if b'"state":' in files.read_bytes(path):
        raise UsageError(f"{output}: the folder {STATES}/ is gone, and nothing else names what is there")
    return True


def migrate(output: str, products: Iterable[str]) -> State:
    """State 1 of a corpus of version 1. Killed at any point, it can be called again.

    Args:
        products: names of what its samples were made of.

    Raises:
        StorageError: a file is missing or damaged.
    """
    try:
        corpus = Corpus.model_validate_json(files.read_bytes(files.join(output, CORPUS_NAME)))
        ledger = read_rows(_stream(output, LEDGER_NAME), LEDGER)
        inputs: dict[str, list[str]] = defaultdict(list)
        for row in ledger:
            for key in row["keys"]:
                inputs[key].append(row["input"])
        layers = {BASE: sorted(products), ANNOTATIONS: []}
        for snapshot in corpus.snapshots[:-1]:
            kept = _state(output, corpus, snapshot_index_name(snapshot.name), layers, inputs, [])
            path = files.join(output, KEPT, f"{snapshot.name}.json")
            files.create_if_absent(path, kept.to_bytes(), output)
        state = _state(output, corpus, INDEX_NAME, layers, inputs, [_ledger_row(row) for row in ledger])
    except (ValidationError, ValueError, tarfile.TarError, FileNotFoundError) as error:
        first = str(error).splitlines()[0]
        raise StorageError(f"{output} cannot be migrated: {first}: run favor-data verify {output}") from error
    files.create_if_absent(files.join(output, *state_name(1).split("/")), state.to_bytes(), output)
    return read_state(output, 1)


def sweep_version_1(output: str) -> bool:
    """Its snapshots' tables go once a state has their place; whether there were any."""
    found = sorted(files.listing(files.join(output, SNAPSHOTS)))
    files.delete_many(found)
    return bool(found)


def _stream(output: str, name: str) -> Any:
    return BytesIO(files.read_bytes(files.join(output, *name.split("/"))))


def _state(
    output: str,
    corpus: Corpus,
    index: str,
    layers: Mapping[str, list[str]],
    inputs: Mapping[str, list[str]],
    ledger: list[Row],
) -> State:
    parts = Parts(output)
    rows = [_row(output, row, inputs) for row in read_rows(_stream(output, index), INDEX)]
    return State(
        state=1,
        options=corpus.options,
        columns=corpus.columns,
        layers={name: list(made) for name, made in layers.items()},
        next_shard=corpus.next_shard,
        index=parts.with_samples([], rows, {}),
        ledger=parts.with_inputs([], ledger, ()) if ledger else [],
    )


def _row(output: str, row: Row, inputs: Mapping[str, list[str]]) -> Row:
    record, head = _record(output, row)
    conversations, metadata = record["conversations"], record["metadata"]
    text = json.dumps(metadata, sort_keys=True, ensure_ascii=False)
    features = [
        {
            "column": column,
            **{name: feature[name] for name in ("fingerprint", "dtype", "shape")},
            "offset": 0,  # nobody wrote down where in the sample it lies
            "size": 0,
        }
        for column, feature in sorted(record["features"].items())
    ]
    talks = [
        {
            "key": row["key"],
            "number": number,
            "id": row["id"],
            "input": name,
            "turns": turns or [],
            "metadata": text,
        }
        for name in sorted(inputs.get(row["key"], []))
        for number, turns in (enumerate(conversations) if conversations else ((None, None),))
    ]
    return {
        **row,
        "columns": [],
        "features": features,
        "record": 1,
        "head": head,
        "metadata": text,
        TALKS_OF: talks,
    }


def _record(output: str, row: Row) -> tuple[Any, int]:
    """KEY.json of version 1, the first member of a sample's bytes, and how many of them it takes."""
    path = files.join(output, *_lying(output, row["shard"]).split("/"))
    head = files.read_range(path, row["offset"], min(row["size"], _HEAD))
    size = tarfile.TarInfo.frombuf(head[:_BLOCK], "utf-8", "strict").size
    if _BLOCK + size > len(head):
        head = files.read_range(path, row["offset"], _BLOCK + size)
    return json.loads(head[_BLOCK : _BLOCK + size]), tar_bytes(size)


def _lying(output: str, shard: str) -> str:
    """A migration that was killed may have moved a snapshot's shard already."""
    return shard if files.exists(files.join(output, *shard.split("/"))) else f"{KEPT}/{shard}"


def _ledger_row(row: Row) -> Row:
    return {**row, "outcomes": [], "remarks": []}
