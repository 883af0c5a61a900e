"""A corpus of version 1 against itself: shards against index, ledger, cache and corpus.json."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pydantic import ValidationError

from decoders.cores import cores
from pipelines.commands.look.samples import grid_faults, index_faults
from pipelines.commands.look.tables import crossed_faults
from pipelines.errors import StorageError, UsageError
from pipelines.products import PLACEMENT, STREAM_OF, Products, products_of_build
from pipelines.storage.cache import Cache
from schemas.corpus import (
    CACHE_NAME,
    CORPUS_NAME,
    INDEX_NAME,
    LEDGER_NAME,
    Corpus,
    snapshot_index_name,
)
from schemas.grid import Span
from schemas.media import Modality
from schemas.reasons import Reason, Stage
from schemas.shard import end_of_tar, npy_array, read_extent
from schemas.tables import INDEX, LEDGER, read_rows
from storage import files

Row = dict[str, Any]


def verify(output: str, cache: str | None = None) -> Iterator[str]:
    """One line a fault: what, where.

    Raises:
        UsageError: no corpus there.
    """
    if not files.exists(files.join(output, CORPUS_NAME)):
        raise UsageError(f"{output} holds no {CORPUS_NAME}: name the folder that build wrote")
    try:
        corpus = Corpus.model_validate_json(files.read_bytes(files.join(output, CORPUS_NAME)))
    except (ValidationError, OSError, StorageError) as error:
        yield f"{CORPUS_NAME}: cannot be read: {str(error).splitlines()[0]}"
        return
    index, ledger = _table(output, INDEX_NAME, INDEX), _table(output, LEDGER_NAME, LEDGER)
    for table in (index, ledger):
        if isinstance(table, str):
            yield table
    if isinstance(index, str) or isinstance(ledger, str):
        return
    yield from _ledger_faults(corpus, index, ledger)
    yield from _snapshot_faults(output, corpus)
    yield from _file_faults(output, corpus, index)
    checker = _ShardChecker(output, corpus, Cache(files.absolute(cache or files.join(output, CACHE_NAME))))
    by_shard = defaultdict(list)
    for row in index:
        by_shard[row["shard"]].append(row)
    with ThreadPoolExecutor(cores()) as threads:
        for faults in threads.map(lambda item: list(checker.faults(*item)), sorted(by_shard.items())):
            yield from faults


def _table(output: str, name: str, schema: Any) -> list[Row] | str:
    try:
        with files.open_read(files.join(output, name)) as stream:
            return read_rows(stream, schema)
    except (OSError, StorageError, ValueError) as error:
        return f"{name}: cannot be read: {error}"


def _ledger_faults(corpus: Corpus, index: list[Row], ledger: list[Row]) -> Iterator[str]:
    yield from crossed_faults(index, ledger, _row_faults)
    done = sum(row["status"] == "done" for row in ledger)
    counted = {
        "inputs": len(ledger),
        "done": done,
        "rejected": len(ledger) - done,
        "samples": len(index),
        "steps": sum(row["steps"] for row in index),
        "shards": len({row["shard"] for row in index}),
        "bytes": sum(row["size"] for row in index),
    }
    for name, count in counted.items():
        if (said := getattr(corpus.counts, name)) != count:
            yield f"{CORPUS_NAME}: says {said} {name}, index and ledger hold {count}"


def _row_faults(row: Row) -> Iterator[str]:
    if row["status"] == "done":
        if not row["keys"] or row["reason"]:
            yield "done without a sample, or with a reason"
    elif row["status"] != "rejected":
        yield f"status {row['status']!r}"
    elif row["keys"] or row["reason"] not in set(Reason) or row["stage"] not in set(Stage):
        yield f"rejected with samples, or for no known reason: {row['reason']!r} at {row['stage']!r}"


def _snapshot_faults(output: str, corpus: Corpus) -> Iterator[str]:
    for snapshot in corpus.snapshots:
        name = snapshot_index_name(snapshot.name)
        try:
            content = files.read_bytes(files.join(output, *name.split("/")))
        except (OSError, StorageError):
            yield f"{name}: missing"
            continue
        if hashlib.sha256(content).hexdigest() != snapshot.index_sha256:
            yield f"{name}: not the index that {CORPUS_NAME} names"
    if corpus.snapshots:
        current = files.read_bytes(files.join(output, INDEX_NAME))
        if hashlib.sha256(current).hexdigest() != corpus.snapshots[-1].index_sha256:
            yield f"{INDEX_NAME}: not the newest snapshot's"


def _file_faults(output: str, corpus: Corpus, index: list[Row]) -> Iterator[str]:
    """Shards that no snapshot names, and what a killed build left."""
    known = {row["shard"] for row in index}
    for snapshot in corpus.snapshots:
        rows = _table(output, snapshot_index_name(snapshot.name), INDEX)
        known |= {row["shard"] for row in rows} if isinstance(rows, list) else set()
    for path in files.listing(files.join(output, "shards")):
        name = "shards/" + files.split(path)[1]
        if name not in known:
            yield f"{name}: no snapshot names this file"


@dataclass(frozen=True)
class _ShardChecker:
    """Checks the samples of one shard."""

    output: str
    corpus: Corpus
    cache: Cache

    @cached_property
    def products(self) -> Products:
        return products_of_build(self.corpus.columns, self.corpus.options)

    def faults(self, shard: str, rows: list[Row]) -> Iterator[str]:
        path = files.join(self.output, *shard.split("/"))
        if not files.exists(path):
            yield f"{shard}: missing"
            return
        rows = sorted(rows, key=lambda row: row["offset"])
        if [row["key"] for row in rows] != sorted(row["key"] for row in rows):
            yield f"{shard}: keys out of order"
        end = 0
        with files.open_read(path) as stream:
            for row in rows:
                if row["offset"] != end:
                    yield f"{shard}: bytes {end} to {row['offset']} belong to no sample"
                stream.seek(row["offset"])
                data = stream.read(row["size"])
                end = row["offset"] + row["size"]
                if hashlib.sha256(data).hexdigest() != row["sha256"]:
                    yield f"{shard}: {row['key']}: {len(data)} bytes differ from the index's digest"
                yield from (f"{shard}: {row['key']}: {fault}" for fault in self._sample_faults(row, data))
            stream.seek(end)
            rest = stream.read()
        if rest != end_of_tar(end):
            yield f"{shard}: truncated, or more follows the last sample"

    def _sample_faults(self, row: Row, data: bytes) -> Iterator[str]:
        try:
            members = read_extent(data)
            record = json.loads(members["json"])
            arrays = {name: npy_array(content) for name, content in members.items() if name.endswith(".npy")}
        except (tarfile.TarError, OSError, ValueError, KeyError) as error:
            yield f"cannot be read: {error!r}"
            return
        try:
            faults = [
                *_record_faults(row, record),
                *self._feature_faults(record, arrays),
                *_mask_faults(record, arrays, self.corpus),
                *self._cache_faults(row, record, members),
            ]
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            faults = [f"its json is not a sample's: {error!r}"]
        yield from faults

    def _feature_faults(self, record: Row, arrays: Mapping[str, Any]) -> Iterator[str]:
        if set(record["features"]) != {name.removesuffix(".npy") for name in arrays}:
            yield "its features are not the arrays beside it"
            return
        for column, feature in record["features"].items():
            array = arrays[f"{column}.npy"]
            known = self.corpus.columns.get(column)
            if known is None or feature["fingerprint"] != known.fingerprint:
                yield f"{column} is of another encoder than {CORPUS_NAME} names"
            if list(array.shape) != feature["shape"] or str(array.dtype) != feature["dtype"]:
                said = f"{feature['dtype']} {feature['shape']}"
                yield f"{column} is {array.dtype} {list(array.shape)}, not {said}"
            if not np.isfinite(array).all():
                yield f"{column} holds values that are not finite"

    def _cache_faults(self, row: Row, record: Row, members: Mapping[str, bytes]) -> Iterator[str]:
        """Members against the cache, where the cache still holds them."""
        span = Span(*record["span_ns"])
        for modality, stream in STREAM_OF.items():
            if not (sha256 := (row["digests"] or {}).get(str(modality))):
                continue
            for product in self.products.of(stream):
                if product.name == PLACEMENT or product.suffix == "tar":
                    continue
                cached = self.cache.find(self.products.key(sha256, stream, span, product), product.suffix)
                made = product.members(cached, span) if cached is not None else {}
                for name in sorted(made.keys() & members.keys()):
                    if made[name] != members[name]:
                        yield f"{name} differs from the cache's"


def _record_faults(row: Row, record: Row) -> Iterator[str]:
    yield from index_faults(row, record, {"conversations": len(record["conversations"])})
    yield from grid_faults(record)


def _mask_faults(record: Row, arrays: Mapping[str, Any], corpus: Corpus) -> Iterator[str]:
    """A masked step is all zeros, and only a masked one: encoders do not give zeros."""
    for column, feature in record["features"].items():
        array, known = arrays.get(f"{column}.npy"), corpus.columns.get(column)
        if array is None or known is None or (len(array) == 1 and "image" in record["media"]):
            continue
        mask = record["audio_mask" if known.modality == Modality.AUDIO else "visual_mask"]
        held = (array.reshape(len(array), -1) != 0).any(axis=1).astype(int).tolist()
        if held != mask:
            wrong = next((k for k, (a, b) in enumerate(zip(held, mask, strict=False)) if a != b), len(mask))
            yield f"{column} and its mask disagree at step {wrong} (shape {feature['shape']})"
